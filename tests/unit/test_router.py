"""The router of regions: choice of a region, forwarding, and health checks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from dynadex.demo.router import Router, Switches
from dynadex.demo.routing import routes_for
from dynadex.errors import LocalStackError
from tests.unit.service import Client

URLS = {"us-east-1": "http://us.test", "eu-west-1": "http://eu.test"}


class Regions:
    """The services of the regions, by host, and a router in front of them."""

    def __init__(self) -> None:
        self.ready: dict[str, Callable[[], httpx.Response]] = {
            url.removeprefix("http://"): lambda: httpx.Response(200, json={"status": "ready", "lag_seconds": 0.5})
            for url in URLS.values()
        }
        self.urls: dict[str, str | None] = {**URLS}
        self.requests: list[httpx.Request] = []
        self.switched: list[tuple[str, str]] = []
        self.broken: LocalStackError | None = None
        switches = Switches(lambda name: self._switch("cut", name), lambda name: self._switch("restore", name))
        self.router = Router(
            routes_for(list(URLS)), lambda: self.urls, switches, transport=httpx.MockTransport(self._respond)
        )
        self.client = Client(self.router.app())

    def check(self) -> None:
        asyncio.run(self.router.check_all())

    def states(self) -> dict[str, Any]:
        return {state["name"]: state for state in self.client.get("/regions").json()["regions"]}

    def serving_region(self, location: str | None, path: str = "/api/search?q=a") -> str:
        """Return the region that serves a request."""
        headers = {"X-Location": location} if location else {}
        response = self.client.request("GET", path, headers=headers)
        return response.headers["X-Dynadex-Region"]

    def post(self, path: str, host: str = "localhost:8080") -> int:
        return self.client.request("POST", path, headers={"Host": host}).status_code

    def _switch(self, what: str, name: str) -> None:
        if self.broken:
            raise self.broken
        self.switched.append((what, name))

    def _respond(self, request: httpx.Request) -> httpx.Response:
        host = request.url.host
        if request.url.path == "/health/ready":
            return self.ready[host]()
        self.requests.append(request)
        region = next(name for name, url in URLS.items() if url.endswith(host))
        content = {"title": "Lessons", "n": 1, "regions": False}
        headers = [("X-Dynadex-Region", region), ("ETag", '"1"'), ("Server", "inner"), ("Connection", "close")]
        return httpx.Response(200, json=content, headers=headers)


@pytest.fixture
def regions() -> Regions:
    made = Regions()
    made.check()
    return made


def test_request_goes_to_the_home_region(regions: Regions) -> None:
    assert [regions.serving_region(location) for location in ("europe", "north-america", "asia", None)] == [
        "eu-west-1", "us-east-1", "us-east-1", "us-east-1",
    ]  # fmt: skip


def test_request_goes_to_the_home_region_before_the_first_check() -> None:
    assert Regions().serving_region("europe") == "eu-west-1"


def test_unreachable_region_is_avoided_after_one_check(regions: Regions) -> None:
    def rejected() -> httpx.Response:
        raise httpx.ConnectError("rejected")

    regions.ready["eu.test"] = rejected
    regions.check()
    assert regions.serving_region("europe") == "us-east-1"
    assert regions.states()["eu-west-1"]["reasons"] == ["it does not respond"]


def test_region_is_avoided_after_two_failed_checks_until_one_succeeds(regions: Regions) -> None:
    def slow() -> httpx.Response:
        raise httpx.ReadTimeout("slow")

    good = regions.ready["eu.test"]
    for bad in (slow, lambda: httpx.Response(503, json={"status": "not ready", "reasons": ["it lags"]})):
        regions.ready["eu.test"] = bad
        regions.check()
        assert regions.serving_region("europe") == "eu-west-1"
        regions.check()
        assert regions.serving_region("europe") == "us-east-1"
        regions.ready["eu.test"] = good
        regions.check()
        assert regions.serving_region("europe") == "eu-west-1"


def test_reasons_of_an_unready_region_are_reported(regions: Regions) -> None:
    regions.ready["us.test"] = lambda: httpx.Response(503, json={"status": "not ready", "reasons": ["it lags"]})
    regions.check()
    regions.check()
    assert regions.states()["us-east-1"] == {
        "name": "us-east-1", "state": "up", "healthy": False, "reasons": ["it lags"], "lag_seconds": None,
        "locations": ["north-america"],
    }  # fmt: skip
    assert regions.serving_region(None) == "eu-west-1"


def test_request_goes_to_the_home_region_if_none_is_healthy(regions: Regions) -> None:
    regions.urls = dict.fromkeys(URLS)
    regions.check()
    response = regions.client.request("GET", "/api/search", headers={"X-Location": "europe"})
    assert (response.status_code, response.json()["error"]["code"]) == (502, "region_unreachable")
    assert response.headers["X-Dynadex-Region"] == "eu-west-1"


def test_request_is_forwarded_unchanged(regions: Regions) -> None:
    headers = {"X-Location": "europe", "If-Match": '"3"', "Authorization": "Bearer t", "Origin": "http://lessons.test"}
    response = regions.client.request("PUT", "/api/documents/a%2Fb?x=%20y", headers=headers, content=b'{"n":1.50}')
    [request] = regions.requests
    assert (request.method, request.url.raw_path, request.content) == (
        "PUT",
        b"/api/documents/a%2Fb?x=%20y",
        b'{"n":1.50}',
    )
    assert request.headers["if-match"] == '"3"'
    assert request.headers["authorization"] == "Bearer t"
    # The region checks the origin of a write against the host that the browser used.
    assert request.headers["host"] == "lessons.test"
    assert (response.status_code, response.headers["etag"]) == (200, '"1"')
    assert response.headers.get_list("server") != ["inner"]
    assert "connection" not in response.headers


def test_config_reports_the_regions(regions: Regions) -> None:
    assert regions.client.get("/api/config").json() == {"title": "Lessons", "n": 1, "regions": True}


def test_region_is_shut_down_and_restarted(regions: Regions) -> None:
    assert regions.post("/regions/eu-west-1/cut") == 202
    assert regions.states()["eu-west-1"]["state"] == "cut"
    regions.check()
    assert regions.states()["eu-west-1"]["state"] == "cut"
    assert regions.post("/regions/eu-west-1/restore") == 202
    assert regions.states()["eu-west-1"]["state"] == "up"
    assert regions.switched == [("cut", "eu-west-1"), ("restore", "eu-west-1")]
    assert regions.post("/regions/mars-1/cut") == 404


def test_region_that_fails_to_start_stays_shut_down(regions: Regions) -> None:
    regions.broken = LocalStackError("start", "region eu-west-1", "it does not respond after 60 s")
    assert regions.post("/regions/eu-west-1/restore") == 202
    assert regions.states()["eu-west-1"]["state"] == "cut"


def test_page_of_another_site_cannot_shut_down_a_region(regions: Regions) -> None:
    response = regions.client.request("POST", "/regions/eu-west-1/cut", headers={"Origin": "http://evil.test"})
    assert (response.status_code, regions.switched) == (403, [])
    # DNS rebinding: the name of another site resolves to this machine.
    assert (regions.post("/regions/eu-west-1/cut", host="evil.test:8080"), regions.switched) == (403, [])
