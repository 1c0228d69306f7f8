"""Whatever goes wrong, as an answer: JSON with a code that stays, and never a backend's own words."""

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


def told(problem: Problem) -> Response:
    """A problem as an answer."""
    error: Mapping[str, Any] = {"code": problem.code, "message": problem.message, **problem.details}
    return reply({"error": error}, problem.status, problem.headers)


def _problem(request: Request, problem: Exception) -> Response:  # noqa: ARG001 - Starlette passes it
    assert isinstance(problem, Problem)
    return told(problem)


def _of_http(request: Request, error: Exception) -> Response:  # noqa: ARG001 - Starlette passes it
    assert isinstance(error, HTTPException)
    code = _HTTP_CODES.get(error.status_code, "bad_request")
    return told(Problem(error.status_code, code, f"{error.detail}.", headers=error.headers))


def _of_index(request: Request, error: Exception) -> Response:  # noqa: ARG001 - Starlette passes it
    _log.warning("%s", error)
    return told(Problem(503, "index_unavailable", "The search index is not available right now."))


def _of_table(request: Request, error: Exception) -> Response:  # noqa: ARG001 - Starlette passes it
    assert isinstance(error, SourceError)
    _log.warning("%s", error)
    if error.reason.startswith("ValidationException"):
        message = "The table does not take this item: a value is outside of DynamoDB's limits."
        return told(Problem(400, "refused", message))
    return told(Problem(503, "table_unavailable", "The table is not available right now."))


def _defect(request: Request, error: Exception) -> Response:  # noqa: ARG001 - Starlette logs and raises it
    return told(Problem(500, "internal", "Something went wrong in the service."))


HANDLERS = {
    Problem: _problem,
    HTTPException: _of_http,
    SearchError: _of_index,
    SourceError: _of_table,
    Exception: _defect,
}
