"""Clients of OpenSearch and AWS: signatures, rejected URLs, unparsed replies, and sharing."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import count

import pytest
from botocore.credentials import RefreshableCredentials
from botocore.session import Session

from dynadex import clients
from dynadex.errors import DeclarationError
from dynadex.settings import RuntimeSettings

DOMAIN = "https://search-lessons-abc123.eu-west-1.es.amazonaws.com"
SERVERLESS = "https://abc123.us-west-2.aoss.amazonaws.com"
DUAL_STACK = "https://search-lessons-abc123.aos.eu-central-1.on.aws"
_SCOPE = re.compile(r"Credential=(?P<key>\w+)/\d{8}/(?P<region>[^/]+)/(?P<service>\w+)/aws4_request")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


@pytest.fixture
def server() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """A server that records the headers of each request."""
    seen: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append({name.lower(): value for name, value in self.headers.items()})
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        do_POST = do_GET  # noqa: N815 - http.server's name

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{listening.server_port}", seen
        listening.shutdown()
        thread.join()


def signs(url: str, **settings: str) -> tuple[str, str] | None:
    """The region and service in the signature of the client for a URL; None if it does not sign."""
    signer = clients._signer(RuntimeSettings(opensearch_url=url, **settings))  # type: ignore[arg-type]
    if signer is None:
        return None
    scope = _SCOPE.search(signer("GET", f"{url}/", None)["Authorization"])
    assert scope
    assert scope["key"] == "AKIDEXAMPLE"
    return scope["region"], scope["service"]


@pytest.mark.parametrize(
    ("url", "region", "service"),
    [
        (DOMAIN, "eu-west-1", "es"),
        (DOMAIN + ":443", "eu-west-1", "es"),
        (DOMAIN + ".cn", "eu-west-1", "es"),
        (SERVERLESS, "us-west-2", "aoss"),
        (DUAL_STACK, "eu-central-1", "es"),
    ],
)
def test_requests_to_amazon_are_signed_for_the_region_of_the_host(url: str, region: str, service: str) -> None:
    assert signs(url, region="ap-south-1") == (region, service)


@pytest.mark.parametrize(
    "url",
    [
        "https://search.example.org",
        "http://127.0.0.1:9200",
        "https://es.amazonaws.com.example.org",
        "https://user:password@search-lessons-abc123.eu-west-1.es.amazonaws.com",
    ],
)
def test_requests_to_other_hosts_are_not_signed(url: str) -> None:
    assert signs(url) is None


def test_setting_overrides_the_host() -> None:
    assert signs("https://search.example.org", opensearch_auth="sigv4", region="eu-west-1") == ("eu-west-1", "es")
    assert signs(DOMAIN, opensearch_auth="none") is None


def test_signed_request_has_the_headers_of_sigv4(
    server: tuple[str, list[dict[str, str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "a-token")
    url, seen = server
    with clients.opensearch(RuntimeSettings(opensearch_url=url, opensearch_auth="sigv4", region="eu-west-1")) as client:
        client.transport.perform_request("POST", "/lessons/_search", params={"size": 1}, body=b'{"query":{}}')
    [headers] = seen
    assert headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    assert "/eu-west-1/es/aws4_request" in headers["authorization"]
    assert headers["x-amz-security-token"] == "a-token"
    assert re.fullmatch(r"\d{8}T\d{6}Z", headers["x-amz-date"])
    assert re.fullmatch(r"[0-9a-f]{64}", headers["x-amz-content-sha256"])


def test_user_in_the_url_is_sent_with_basic_auth(server: tuple[str, list[dict[str, str]]]) -> None:
    url, seen = server
    with clients.opensearch(RuntimeSettings(opensearch_url=url.replace("//", "//user:password@"))) as client:
        client.transport.perform_request("GET", "/")
    assert seen[0]["authorization"].startswith("Basic ")


def test_expiring_credentials_are_refreshed_between_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    issued = count(1)

    def issue() -> dict[str, str]:
        soon = datetime.now(UTC) + timedelta(minutes=5)
        return {
            "access_key": f"KEY{next(issued)}", "secret_key": "s", "token": "t", "expiry_time": soon.isoformat(),
        }  # fmt: skip

    credentials = RefreshableCredentials.create_from_metadata(issue(), issue, "test")
    monkeypatch.setattr(Session, "get_credentials", lambda _: credentials)
    signer = clients._signer(RuntimeSettings(opensearch_url=DOMAIN))
    assert signer
    first, second = (_SCOPE.search(signer("GET", DOMAIN, None)["Authorization"]) for _ in range(2))
    assert first
    assert second
    assert first["key"] != second["key"]


@pytest.mark.parametrize("auth", ["auto", "sigv4", "none"])
def test_plain_http_to_another_machine_is_rejected(auth: str) -> None:
    url = DOMAIN.replace("https", "http")
    with pytest.raises(DeclarationError, match="plain HTTP"):
        clients.opensearch(RuntimeSettings(opensearch_url=url, opensearch_auth=auth))


def test_user_and_signature_contradict_each_other() -> None:
    url = DOMAIN.replace("//", "//user:password@")
    with pytest.raises(DeclarationError, match="either signed or sent with a user name") as raised:
        clients.opensearch(RuntimeSettings(opensearch_url=url, opensearch_auth="sigv4"))
    assert "password@" not in str(raised.value)


def test_signature_needs_a_region_and_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DeclarationError, match="Set AWS_REGION"):
        clients.opensearch(RuntimeSettings(opensearch_url="https://search.example.org", opensearch_auth="sigv4"))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(DeclarationError, match="no AWS credentials"):
        clients.opensearch(RuntimeSettings(opensearch_url=DOMAIN))


def test_certificates_are_verified_and_requests_time_out() -> None:
    with clients.opensearch(RuntimeSettings(opensearch_url=DOMAIN, opensearch_timeout_seconds=7)) as client:
        connection = client.transport.get_connection()
        pool = connection.pool
        assert connection.use_ssl
        assert pool.cert_reqs == "CERT_REQUIRED"
        assert (connection.timeout, pool.pool.maxsize) == (7, 32)
        assert client.transport.max_retries == 0


@pytest.fixture
def table() -> Iterator[tuple[str, list[tuple[int, bytes]]]]:
    """The URL of an endpoint, and the list of its next answers."""
    answers: list[tuple[int, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            status, body = answers.pop(0)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", answers
    server.shutdown()
    server.server_close()
    thread.join()


def test_scanned_items_are_not_parsed_and_the_rest_of_the_reply_is(
    table: tuple[str, list[tuple[int, bytes]]],
) -> None:
    url, answers = table
    answers.append((200, b'{"Items":[{"id":{"B":"AP/+"},"n":{"N":"1.50"}}],"LastEvaluatedKey":{"id":{"B":"AP/+"}}}'))
    reply = clients.dynamodb(RuntimeSettings(dynamodb_url=url)).scan(TableName="songs")
    assert reply["Items"] == [{"id": {"B": "AP/+"}, "n": {"N": "1.50"}}]
    assert reply["LastEvaluatedKey"] == {"id": {"B": b"\x00\xff\xfe"}}


def test_stream_records_have_the_form_of_a_lambda_event(table: tuple[str, list[tuple[int, bytes]]]) -> None:
    url, answers = table
    sent = {
        "eventName": "REMOVE",
        "dynamodb": {"ApproximateCreationDateTime": 1700000000.0, "Keys": {"id": {"S": "a"}}},
    }
    answers.append((200, json.dumps({"Records": [sent], "NextShardIterator": "next"}).encode()))
    reply = clients.dynamodb_streams(RuntimeSettings(dynamodb_url=url)).get_records(ShardIterator="first")
    assert (reply["Records"], reply["NextShardIterator"]) == ([sent], "next")


def test_error_reply_is_parsed_by_botocore(table: tuple[str, list[tuple[int, bytes]]]) -> None:
    url, answers = table
    answers.append((400, b'{"__type":"com.amazonaws#ResourceNotFoundException","message":"no such table","Items":[]}'))
    client = clients.dynamodb(RuntimeSettings(dynamodb_url=url))
    with pytest.raises(client.exceptions.ResourceNotFoundException, match="no such table"):
        client.scan(TableName="songs")


def test_clients_with_equal_settings_and_credentials_are_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = RuntimeSettings(region="eu-west-1")
    first = clients.dynamodb(settings)
    assert clients.dynamodb(RuntimeSettings(region="eu-west-1")) is first
    assert clients.dynamodb(RuntimeSettings(region="eu-west-2")) is not first
    other: object = clients.sqs(settings)
    assert other is not first
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ANOTHER")
    assert clients.dynamodb(settings) is not first


@pytest.mark.parametrize("password", ["secret", "sec@ret", "secr#et", "secr/et", "secr?et", "se:cret"])
def test_messages_mask_the_password_even_of_a_malformed_url(password: str) -> None:
    for scheme in ("http", "https"):
        with pytest.raises(DeclarationError) as raised:
            clients.opensearch(
                RuntimeSettings(opensearch_url=f"{scheme}://admin:{password}@search.example.org:x").checked()
            )
        assert "admin:***@search.example.org" in str(raised.value)
    with pytest.raises(DeclarationError) as raised:
        clients.opensearch(RuntimeSettings(opensearch_url=f"http://admin:{password}@search.example.org"))
    assert "admin:***@search.example.org" in str(raised.value)
