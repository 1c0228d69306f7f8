"""Texts of errors, and the translation of foreign errors."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, ParamValidationError
from opensearchpy import exceptions as foreign

from dynadex import errors
from dynadex.errors import DynadexError, RequestTooLarge, SearchError, SearchUnavailable, SourceError, SourceUnavailable
from dynadex.index import opensearch
from dynadex.source import table


@pytest.mark.parametrize(
    ("reason", "hint", "text"),
    [
        ("it is full", "", "Cannot write to index songs: it is full."),
        ("it is full.", "", "Cannot write to index songs: it is full."),
        ("it is full", "Empty it.", "Cannot write to index songs: it is full. Empty it."),
        ("it ends with ...", "Wait.", "Cannot write to index songs: it ends with. Wait."),
    ],
)
def test_text_has_operation_subject_reason_and_hint(reason: str, hint: str, text: str) -> None:
    assert str(DynadexError("write to index", "songs", reason, hint)) == text


def test_only_unavailable_services_are_retryable() -> None:
    kinds = {name: kind for name, kind in vars(errors).items() if isinstance(kind, type)}
    retryable = {name for name, kind in kinds.items() if issubclass(kind, DynadexError) and kind.retryable}
    assert retryable == {"SearchUnavailable", "SourceUnavailable"}


def body(reason: str) -> dict[str, Any]:
    return {"error": {"type": "some_exception", "reason": reason}}


Expected = tuple[Exception, type[SearchError], str, str]
SEARCH: dict[str, Expected] = {
    "connection refused": (
        foreign.ConnectionError("N/A", "connection refused", OSError()),
        SearchUnavailable,
        "does not respond (connection refused)",
        "OPENSEARCH_URL",
    ),
    "time-out": (
        foreign.ConnectionTimeout("TIMEOUT", "read timed out", OSError()),
        SearchUnavailable,
        "does not respond (read timed out)",
        "OPENSEARCH_URL",
    ),
    "an unknown certificate": (
        foreign.SSLError("N/A", "certificate verify failed", OSError()),
        SearchError,
        "certificate verify failed",
        "certificate",
    ),
    "a truncated reply": (
        foreign.SerializationError("b'{'", ValueError()),
        SearchUnavailable,
        "not complete JSON",
        "OpenSearch cluster",
    ),
    "400": (
        foreign.RequestError(400, "x", body("bad")),
        SearchError,
        "some_exception: bad",
        "not the cause",
    ),
    "401": (
        foreign.AuthenticationException(401, "x", body("who?")),
        SearchError,
        "some_exception: who?",
        "credentials",
    ),
    "403": (foreign.AuthorizationException(403, "x", body("no")), SearchError, "some_exception: no", "permission"),
    "404": (foreign.NotFoundError(404, "x", body("no such index")), SearchError, "no such index", "dynadex refill"),
    "409": (foreign.ConflictError(409, "x", body("newer")), SearchError, "some_exception: newer", ""),
    "413": (foreign.TransportError(413, "x", body("too long")), RequestTooLarge, "some_exception: too long", ""),
    "413 of a proxy": (foreign.TransportError(413, "<html>", "<html>"), RequestTooLarge, "<html>", ""),
    "429": (foreign.TransportError(429, "x", body("busy")), SearchUnavailable, "429 some_exception: busy", "transient"),
    "500": (
        foreign.TransportError(500, "x", body("broken")),
        SearchUnavailable,
        "500 some_exception: broken",
        "transient",
    ),
    "502 of a proxy": (
        foreign.TransportError(502, "Bad Gateway", ""),
        SearchUnavailable,
        "502 Bad Gateway",
        "transient",
    ),
    "503": (foreign.TransportError(503, "x", body("red")), SearchUnavailable, "503 some_exception: red", "transient"),
    "an error in words": (foreign.RequestError(400, "x", {"error": "no handler"}), SearchError, "no handler", ""),
    "an error without reason": (foreign.RequestError(400, "x", {}), SearchError, "no reason given", ""),
    "anything else": (foreign.ImproperlyConfigured("no hosts"), SearchError, "no hosts", ""),
}


@pytest.mark.parametrize(("error", "kind", "reason", "hint"), SEARCH.values(), ids=SEARCH)
def test_error_of_the_search_cluster_states_whether_a_retry_may_succeed(
    error: Exception, kind: type[SearchError], reason: str, hint: str
) -> None:
    ours = opensearch.translate(error, "write to index", "songs")
    assert type(ours) is kind
    assert str(ours).startswith("Cannot write to index songs: ")
    assert reason in ours.reason
    assert hint in ours.hint


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409])
def test_rejection_has_its_http_status(status: int) -> None:
    error = foreign.TransportError(status, "x", body("no"))
    assert opensearch.translate(error, "write to index", "songs").status == status


def client_error(code: str, message: str = "as reported") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "Scan")


SOURCE: dict[str, tuple[Any, type[SourceError], str, str]] = {
    "throttled": (client_error("ProvisionedThroughputExceededException"), SourceUnavailable, "as reported", ""),
    "throttled by the account": (client_error("ThrottlingException"), SourceUnavailable, "as reported", ""),
    "broken": (client_error("InternalServerError"), SourceUnavailable, "as reported", ""),
    "broken without a message": (client_error("503", ""), SourceUnavailable, "503", ""),
    "no such table": (
        client_error("ResourceNotFoundException"),
        SourceError,
        "it does not exist (as reported)",
        "AWS_REGION",
    ),
    "not allowed": (client_error("AccessDeniedException"), SourceError, "as reported", "permissions"),
    "expired": (client_error("ExpiredTokenException"), SourceError, "as reported", "credentials"),
    "rejected": (client_error("ValidationException"), SourceError, "ValidationException: as reported", ""),
    "no answer": (EndpointConnectionError(endpoint_url="http://x"), SourceUnavailable, "http://x", "endpoint"),
    "no credentials": (NoCredentialsError(), SourceError, "credentials", "AWS_REGION"),
    "an invalid request": (ParamValidationError(report="too short"), SourceError, "too short", ""),
}


@pytest.mark.parametrize(("error", "kind", "reason", "hint"), SOURCE.values(), ids=SOURCE)
def test_error_of_dynamodb_states_whether_a_retry_may_succeed(
    error: Any, kind: type[SourceError], reason: str, hint: str
) -> None:
    ours = table.translate(error, "scan table", "songs")
    assert type(ours) is kind
    assert str(ours).startswith("Cannot scan table songs: ")
    assert reason in ours.reason
    assert hint in ours.hint
    assert bool(ours.hint) is bool(hint)
