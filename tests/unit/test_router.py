"""The router of regions: whom it asks, what it passes on, when a region counts as gone."""

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
    """What the regions' services answer, by host."""

    def __init__(self) -> None:
        self.ready: dict[str, Callable[[], httpx.Response]] = {
            url.removeprefix("http://"): lambda: httpx.Response(200, json={"status": "ready", "lag_seconds": 0.5})
            for url in URLS.values()
        }
        self.urls: dict[str, str | None] = {**URLS}
        self.asked: list[httpx.Request] = []
        self.switched: list[tuple[str, str]] = []
        self.broken: LocalStackError | None = None
        switches = Switches(lambda name: self._switch("cut", name), lambda name: self._switch("restore", name))
        self.router = Router(
            routes_for(list(URLS)), lambda: self.urls, switches, transport=httpx.MockTransport(self._answer)
        )
        self.client = Client(self.router.app())

    def check(self) -> None:
        asyncio.run(self.router.check_all())

    def told(self) -> dict[str, Any]:
        return {one["name"]: one for one in self.client.get("/regions").json()["regions"]}

    def by(self, location: str | None, path: str = "/api/search?q=a") -> str:
        """The region that answers."""
        headers = {"X-Location": location} if location else {}
        answer = self.client.request("GET", path, headers=headers)
        return answer.headers["X-Dynadex-Region"]

    def post(self, path: str, host: str = "localhost:8080") -> int:
        return self.client.request("POST", path, headers={"Host": host}).status_code

    def _switch(self, what: str, name: str) -> None:
        if self.broken:
            raise self.broken
        self.switched.append((what, name))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        host = request.url.host
        if request.url.path == "/health/ready":
            return self.ready[host]()
        self.asked.append(request)
        region = next(name for name, url in URLS.items() if url.endswith(host))
        content = {"title": "Lessons", "n": 1, "regions": False}
        headers = [("X-Dynadex-Region", region), ("ETag", '"1"'), ("Server", "inner"), ("Connection", "close")]
        return httpx.Response(200, json=content, headers=headers)


@pytest.fixture
def regions() -> Regions:
    made = Regions()
    made.check()
    return made


def test_everybody_goes_to_their_own_region(regions: Regions) -> None:
    assert [regions.by(one) for one in ("europe", "north-america", "asia", None)] == [
        "eu-west-1", "us-east-1", "us-east-1", "us-east-1",
    ]  # fmt: skip


def test_before_the_first_check_everybody_goes_home() -> None:
    assert Regions().by("europe") == "eu-west-1"


def test_a_region_that_is_gone_is_left_at_once(regions: Regions) -> None:
    def refused() -> httpx.Response:
        raise httpx.ConnectError("refused")

    regions.ready["eu.test"] = refused
    regions.check()
    assert regions.by("europe") == "us-east-1"
    assert regions.told()["eu-west-1"]["reasons"] == ["it does not answer"]


def test_one_slow_or_failed_check_is_forgiven_a_second_is_not_and_one_good_one_brings_it_back(regions: Regions) -> None:
    def slow() -> httpx.Response:
        raise httpx.ReadTimeout("slow")

    good = regions.ready["eu.test"]
    for bad in (slow, lambda: httpx.Response(503, json={"status": "not ready", "reasons": ["it lags"]})):
        regions.ready["eu.test"] = bad
        regions.check()
        assert regions.by("europe") == "eu-west-1"
        regions.check()
        assert regions.by("europe") == "us-east-1"
        regions.ready["eu.test"] = good
        regions.check()
        assert regions.by("europe") == "eu-west-1"


def test_a_region_says_why_it_is_not_ready(regions: Regions) -> None:
    regions.ready["us.test"] = lambda: httpx.Response(503, json={"status": "not ready", "reasons": ["it lags"]})
    regions.check()
    regions.check()
    assert regions.told()["us-east-1"] == {
        "name": "us-east-1", "state": "up", "healthy": False, "reasons": ["it lags"], "lag_seconds": None,
        "locations": ["north-america"],
    }  # fmt: skip
    assert regions.by(None) == "eu-west-1"


def test_when_all_are_out_everybody_goes_home_and_is_told_who_does_not_answer(regions: Regions) -> None:
    regions.urls = dict.fromkeys(URLS)
    regions.check()
    answer = regions.client.request("GET", "/api/search", headers={"X-Location": "europe"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "region_unreachable")
    assert answer.headers["X-Dynadex-Region"] == "eu-west-1"


def test_a_request_goes_through_as_it_is(regions: Regions) -> None:
    headers = {"X-Location": "europe", "If-Match": '"3"', "Authorization": "Bearer t", "Origin": "http://lessons.test"}
    answer = regions.client.request("PUT", "/api/documents/a%2Fb?x=%20y", headers=headers, content=b'{"n":1.50}')
    [asked] = regions.asked
    assert (asked.method, asked.url.raw_path, asked.content) == ("PUT", b"/api/documents/a%2Fb?x=%20y", b'{"n":1.50}')
    assert asked.headers["if-match"] == '"3"'
    assert asked.headers["authorization"] == "Bearer t"
    # Who a write comes from is judged by the region, by the name that the browser knows.
    assert asked.headers["host"] == "lessons.test"
    assert (answer.status_code, answer.headers["etag"]) == (200, '"1"')
    assert answer.headers.get_list("server") != ["inner"]
    assert "connection" not in answer.headers


def test_a_page_learns_that_there_are_regions(regions: Regions) -> None:
    assert regions.client.get("/api/config").json() == {"title": "Lessons", "n": 1, "regions": True}


def test_a_region_is_cut_off_and_brought_back(regions: Regions) -> None:
    assert regions.post("/regions/eu-west-1/cut") == 202
    assert regions.told()["eu-west-1"]["state"] == "cut"
    regions.check()
    assert regions.told()["eu-west-1"]["state"] == "cut"
    assert regions.post("/regions/eu-west-1/restore") == 202
    assert regions.told()["eu-west-1"]["state"] == "up"
    assert regions.switched == [("cut", "eu-west-1"), ("restore", "eu-west-1")]
    assert regions.post("/regions/mars-1/cut") == 404


def test_a_region_that_cannot_be_brought_back_stays_cut_off(regions: Regions) -> None:
    regions.broken = LocalStackError("start", "region eu-west-1", "it does not answer after 60 s")
    assert regions.post("/regions/eu-west-1/restore") == 202
    assert regions.told()["eu-west-1"]["state"] == "cut"


def test_another_sites_page_can_cut_nothing_off(regions: Regions) -> None:
    answer = regions.client.request("POST", "/regions/eu-west-1/cut", headers={"Origin": "http://evil.test"})
    assert (answer.status_code, regions.switched) == (403, [])
    # A site whose name leads to this machine all of a sudden.
    assert (regions.post("/regions/eu-west-1/cut", host="evil.test:8080"), regions.switched) == (403, [])
