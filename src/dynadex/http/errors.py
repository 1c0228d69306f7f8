"""Error responses: JSON with a stable code and a message that never contains the text of a backend's error."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from dynadex.errors import SearchError, SourceError
from dynadex.http.response import reply
from dynadex.search.problem import Problem

_HTTP_CODES = {404: "not_found", 405: "method_not_allowed"}

_log = logging.getLogger(__name__)


def error_response(problem: Problem) -> Response:
    """Return the response of a problem."""
    error: Mapping[str, Any] = {"code": problem.code, "message": problem.message, **problem.details}
    return reply({"error": error}, problem.status, problem.headers)


def _problem(request: Request, problem: Exception) -> Response:  # noqa: ARG001 - Starlette passes it
    assert isinstance(problem, Problem)
    return error_response(problem)


def _http_exception(request: Request, error: Exception) -> Response:  # noqa: ARG001 - Starlette passes it
    assert isinstance(error, HTTPException)
    code = _HTTP_CODES.get(error.status_code, "bad_request")
    return error_response(Problem(error.status_code, code, f"{error.detail}.", headers=error.headers))


def _search_error(request: Request, error: Exception) -> Response:  # noqa: ARG001 - Starlette passes it
    _log.warning("%s", error)
    return error_response(Problem(503, "index_unavailable", "The search index is not available right now."))


def _source_error(request: Request, error: Exception) -> Response:  # noqa: ARG001 - Starlette passes it
    assert isinstance(error, SourceError)
    _log.warning("%s", error)
    if error.reason.startswith("ValidationException"):
        message = "DynamoDB rejected the item: a value exceeds its limits."
        return error_response(Problem(400, "rejected", message))
    return error_response(Problem(503, "table_unavailable", "The table is not available right now."))


def _defect(request: Request, error: Exception) -> Response:  # noqa: ARG001 - Starlette logs and raises it
    return error_response(Problem(500, "internal", "The service failed because of an internal error."))


HANDLERS = {
    Problem: _problem,
    HTTPException: _http_exception,
    SearchError: _search_error,
    SourceError: _source_error,
    Exception: _defect,
}
