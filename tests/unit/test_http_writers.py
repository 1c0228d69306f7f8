"""Authorization of writes over HTTP, cross-origin requests, and rate limits."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from typing import Any

import jwt
import pytest

from dynadex import Sync
from dynadex.document.identity import KeySchema
from dynadex.http.app import HttpOptions, create_app
from dynadex.http.auth import Auth, GatewayAuth, NoWrites, TokenAuth
from dynadex.http.rate_limit import client_of
from dynadex.source.table import Table
from dynadex.testing import InMemoryTable
from tests.unit.service import AUTH, HOST, WRITER, Client, ScriptedIndex, error_of, path_of

SECRET = b"the secret of this service, and 32 bytes"
SYNC = Sync(table="lessons", index="lessons")
THERE = {"x": {"id": {"S": "x"}}}


@pytest.fixture
def memory() -> InMemoryTable:
    memory = InMemoryTable("lessons")
    memory.put(THERE["x"])
    return memory


@pytest.fixture
def client(memory: InMemoryTable) -> Client:
    return client_of_app(memory, AUTH)


def client_of_app(memory: InMemoryTable, auth: Auth, **options: Any) -> Client:
    table: Any = Table(memory, "lessons")  # type: ignore[arg-type]
    app = create_app(SYNC, ScriptedIndex(), table, KeySchema(("id",), ("S",)), HttpOptions(auth=auth, **options))
    return Client(app, WRITER if auth is AUTH else None)


def claims(**changed: Any) -> dict[str, Any]:
    return {"aud": "dynadex", "scope": "write", "exp": 2_000_000_000, **changed}


def signed(secret: bytes = SECRET, algorithm: str = "HS256", **changed: Any) -> str:
    return jwt.encode(claims(**changed), secret, algorithm=algorithm)


def unsigned() -> str:
    header, body = ({"alg": "none", "typ": "JWT"}, claims())
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in (header, body)]
    return ".".join((*parts, ""))


UNAUTHENTICATED = {
    "none": None,
    "empty": "",
    "no scheme": signed(),
    "another scheme": f"Basic {signed()}",
    "no token": "Bearer ",
    "not a JWT": "Bearer abc",
    "another secret": f"Bearer {signed(b'another secret, of just as many bytes')}",
    "another algorithm": f"Bearer {signed(SECRET * 2, 'HS512')}",
    "unsigned": f"Bearer {unsigned()}",
    "expired": f"Bearer {signed(exp=999)}",
    "expired just now": f"Bearer {signed(exp=1000)}",
    "without an expiry": f"Bearer {jwt.encode({'aud': 'dynadex', 'scope': 'write'}, SECRET, algorithm='HS256')}",
    "an invalid expiry": f"Bearer {signed(exp='never')}",
    "for another audience": f"Bearer {signed(aud='people')}",
    "without an audience": f"Bearer {jwt.encode({'scope': 'write', 'exp': 2_000_000_000}, SECRET, algorithm='HS256')}",
    "truncated": f"Bearer {signed()[:-2]}",
}
UNAUTHORIZED = {
    "to read": f"Bearer {signed(scope='read')}",
    "to do nothing": f"Bearer {signed(scope='')}",
    "no scope": f"Bearer {jwt.encode({'aud': 'dynadex', 'exp': 2_000_000_000}, SECRET, algorithm='HS256')}",
    "an invalid scope": f"Bearer {signed(scope=['writes'])}",
}


@pytest.mark.parametrize("header", UNAUTHENTICATED.values(), ids=UNAUTHENTICATED)
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_write_without_a_valid_token_changes_nothing(memory: InMemoryTable, method: str, header: str | None) -> None:
    client = client_of_app(memory, TokenAuth(SECRET, now=lambda: 1000.0))
    headers = {} if header is None else {"Authorization": header}
    # The request is authorized before it is validated: neither the body nor the empty id is valid.
    for path in (path_of("x"), path_of("y"), "/api/documents/"):
        answer = client.request(method, path, content=b"not an item", headers=headers)
        assert error_of(answer) == (401, "unauthenticated")
        assert answer.headers["www-authenticate"] == 'Bearer realm="dynadex"'
    assert memory.items() == THERE


@pytest.mark.parametrize("header", UNAUTHORIZED.values(), ids=UNAUTHORIZED)
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_write_with_a_token_of_another_scope_changes_nothing(memory: InMemoryTable, method: str, header: str) -> None:
    client = client_of_app(memory, TokenAuth(SECRET, now=lambda: 1000.0))
    answer = client.request(method, path_of("x"), content=b'{"a":1}', headers={"Authorization": header})
    assert error_of(answer) == (403, "forbidden")
    assert memory.items() == THERE


def test_token_is_valid_until_it_expires(memory: InMemoryTable) -> None:
    now = [1000.0]
    auth = TokenAuth(SECRET, now=lambda: now[0])
    client, headers = client_of_app(memory, auth), {"Authorization": f"bearer  {auth.token(60)}"}
    for second, status in ((1000.0, 200), (1059.9, 200), (1060.0, 401), (10_000.0, 401)):
        now[0] = second
        assert client.put(path_of("x"), content=b"{}", headers=headers).status_code == status


@pytest.mark.parametrize("auth", [HttpOptions().auth, NoWrites()])
def test_service_without_authorization_is_read_only(memory: InMemoryTable, auth: Auth) -> None:
    client = client_of_app(memory, auth)
    assert client.get("/api/config").json()["writes"] is False
    for headers in ({}, WRITER):
        assert error_of(client.put(path_of("x"), content=b"{}", headers=headers)) == (403, "forbidden")
        assert error_of(client.delete(path_of("x"), headers=headers)) == (403, "forbidden")
    assert memory.items() == THERE


class Gateway:
    """An application behind a gateway whose authorizer has returned this."""

    def __init__(self, app: Any, authorizer: Any) -> None:
        self._app = app
        self._context = {} if authorizer is None else {"authorizer": authorizer}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._app({**scope, "aws.event": {"requestContext": self._context}}, receive, send)


@pytest.mark.parametrize(
    ("authorizer", "status"),
    [
        (None, 401),
        ({}, 401),
        ({"jwt": None}, 401),
        ({"jwt": {"claims": {}}}, 401),
        ({"lambda": {"anything": "else"}}, 401),
        ({"iam": {"userArn": "arn:aws:iam::000000000000:user/editor"}}, 200),
        ({"jwt": {"claims": {"sub": "editor"}, "scopes": None}}, 200),
    ],
)
def test_gateway_authorizes_writes(memory: InMemoryTable, authorizer: Any, status: int) -> None:
    table: Any = Table(memory, "lessons")  # type: ignore[arg-type]
    app = create_app(SYNC, ScriptedIndex(), table, KeySchema(("id",), ("S",)), HttpOptions(auth=GatewayAuth()))
    answer = Client(Gateway(app, authorizer)).put(path_of("x"), content=b"{}", headers=WRITER)
    assert answer.status_code == status


@pytest.mark.parametrize(
    "origin", ["http://evil.test", "null", "http://lessons.test.evil.test", "http://lessons.test:81"]
)
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_page_of_another_origin_cannot_write(client: Client, memory: InMemoryTable, method: str, origin: str) -> None:
    memory.put({"id": {"S": "x"}})
    response = client.request(method, path_of("x"), content=b'{"title":"t"}', headers={"Origin": origin})
    assert error_of(response) == (403, "cross_origin")
    assert memory.items() == {"x": {"id": {"S": "x"}}}


@pytest.mark.parametrize("headers", [{}, {"Origin": HOST}, {"Origin": "HTTP://Lessons.Test"}])
def test_page_of_the_service_and_programs_can_write(client: Client, headers: dict[str, str]) -> None:
    assert client.put(path_of("x"), content=b"{}", headers=headers).status_code == 200


OTHER = "https://lessons.example.org"


def test_page_of_an_allowed_origin_can_read_and_write(memory: InMemoryTable) -> None:
    client = client_of_app(memory, AUTH, cors_origins=[OTHER])
    headers = {"Origin": OTHER, "Access-Control-Request-Method": "PUT",
               "Access-Control-Request-Headers": "authorization,if-match,content-type"}  # fmt: skip
    preflight = client.request("OPTIONS", path_of("x"), headers=headers)
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == OTHER
    assert "PUT" in preflight.headers["access-control-allow-methods"]
    assert "access-control-allow-credentials" not in preflight.headers
    written = client.put(path_of("x"), content=b"{}", headers={"Origin": OTHER})
    assert (written.status_code, written.headers["access-control-allow-origin"]) == (200, OTHER)
    assert "ETag" in written.headers["access-control-expose-headers"]


@pytest.mark.parametrize("origin", ["https://evil.test", "null", f"{OTHER}.evil.test", "http://lessons.example.org"])
def test_allowing_an_origin_allows_no_similar_one(memory: InMemoryTable, origin: str) -> None:
    client = client_of_app(memory, AUTH, cors_origins=[OTHER])
    assert "access-control-allow-origin" not in client.get("/api/config", headers={"Origin": origin}).headers
    preflight = {"Origin": origin, "Access-Control-Request-Method": "PUT"}
    assert "access-control-allow-origin" not in client.request("OPTIONS", path_of("x"), headers=preflight).headers
    assert error_of(client.put(path_of("x"), content=b"{}", headers={"Origin": origin})) == (403, "cross_origin")


def test_rate_limit_rejects_one_client_and_no_other(memory: InMemoryTable) -> None:
    client = client_of_app(memory, AUTH, max_client_requests_per_second=3)
    answers = [client.get("/api/search?q=a") for _ in range(20)]
    rejected = [answer for answer in answers if answer.status_code == 429]
    assert len(rejected) >= 10
    assert error_of(rejected[0]) == (429, "too_many_requests")
    assert int(rejected[0].headers["retry-after"]) >= 1
    assert client.get("/api/search?q=a", address="192.0.2.7").status_code == 200
    assert client.get("/api/config").status_code == 200
    assert client.put(path_of("x"), content=b"{}").status_code == 200


def test_requests_are_not_counted_without_a_limit(client: Client) -> None:
    assert {client.get("/api/search?q=a").status_code for _ in range(60)} == {200}


@pytest.mark.parametrize(
    ("host", "client"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
        ("", ""),
    ],
)
def test_client_is_an_ipv4_address_or_an_ipv6_network(host: str, client: str) -> None:
    assert client_of(host) == client


def test_service_does_not_import_packages_that_a_deployed_function_lacks() -> None:
    code = "import sys, dynadex.http.app; print('\\n'.join(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert not {"jwt", "limits", "uvicorn"} & set(loaded)
