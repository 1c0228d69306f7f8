"""Valid and invalid requests, generated from the OpenAPI document, for every route: no response is a defect.

30 examples per route, 2,000 with HTTP_SCALE=1, and 25 % of that on real backends. A route without parameters has
one.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from dynadex.document.identity import KeySchema
from dynadex.http.openapi import describe
from tests.http.conftest import Service, sync_of
from tests.unit.service import WRITER, Client, path_of

pytestmark = pytest.mark.usefixtures("patient_searches")
EXAMPLES = 2000 if os.environ.get("HTTP_SCALE") else 30
REAL_EXAMPLES = EXAMPLES // 4
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
DOCUMENT = describe(sync_of("lessons"), KeySchema(("id",), ("S",)), live=True)
ROUTES = [(method, path) for path, methods in DOCUMENT["paths"].items() for method in methods if method != "parameters"]
# The live view needs a worker in the same process.
REAL_ROUTES = [(method, path) for method, path in ROUTES if "live" not in path and "operations" not in path]
# Generated examples would never hit an existing id, its version, or a valid cursor; these do.
IDS = st.sampled_from(["x", "y", "a/b", "lessons 1", "🎻"])
CURRENT = {"If-Match": "the current version"}
CONDITIONS = st.sampled_from([CURRENT, CURRENT, CURRENT, {"If-None-Match": "*"}, {"If-Match": '"1"'}, {}])
DEEPER = st.none() | st.fixed_dictionaries({"id": IDS, "condition": CONDITIONS})


def statuses_of(service: Service, method: str, path: str, mode: GenerationMode, examples: int) -> Counter[int]:
    """Send examples, and return how often each status was returned."""
    operation = schemathesis.openapi.from_asgi("/api/openapi.json", service.app)[path][method.upper()]
    statuses = Counter[int]()

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(mode), deeper=DEEPER)
    def send(case: Any, deeper: dict[str, Any] | None) -> None:
        headers = dict(WRITER)
        if deeper:
            case.query = {name: value for name, value in (case.query or {}).items() if name not in ("cursor", "after")}
            if path.endswith("{id}"):
                case.path_parameters = {"id": deeper["id"]}
                case.headers = {}
                headers |= condition_of(service, deeper) if method != "get" else {}
        response = case.call(headers=headers)
        statuses[response.status_code] += 1
        case.validate_response(response, checks=CHECKS)

    send()
    return statuses


def condition_of(service: Service, deeper: dict[str, Any]) -> dict[str, str]:
    """Return the drawn condition. CURRENT stands for the condition of a client that has just read the item."""
    if deeper["condition"] is not CURRENT:
        return dict(deeper["condition"])
    tag = Client(service.app).get(path_of(deeper["id"])).headers.get("etag")
    return {"If-Match": tag} if tag else {"If-None-Match": "*"}


def modes_of(method: str, path: str) -> list[GenerationMode]:
    """Return the kinds of examples. An operation without parameters cannot have invalid ones."""
    operations = DOCUMENT["paths"][path]
    parameters = operations[method].get("parameters") or operations.get("parameters")
    return list(GenerationMode) if parameters else [GenerationMode.POSITIVE]


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_no_example_causes_a_defect_in_memory(
    in_memory: Service, method: str, path: str, figure: Callable[[str], None]
) -> None:
    statuses = _run(in_memory, method, path, EXAMPLES, figure, "in memory")
    if len(modes_of(method, path)) > 1:
        # Both valid and invalid requests were sent.
        assert min(statuses) < 400 or statuses[404]
        assert max(statuses) >= 400


@pytest.mark.parametrize(("method", "path"), REAL_ROUTES)
def test_no_example_causes_a_defect_on_real_backends(
    real: Service, method: str, path: str, figure: Callable[[str], None]
) -> None:
    _run(real, method, path, REAL_EXAMPLES, figure, "on real backends")


def _run(
    service: Service, method: str, path: str, examples: int, figure: Callable[[str], None], where: str
) -> Counter[int]:
    statuses, modes = Counter[int](), modes_of(method, path)
    for mode in modes:
        statuses += statuses_of(service, method, path, mode, examples // len(modes))
    assert max(statuses) < 500
    if len(modes) > 1:
        counts = ", ".join(f"{status}: {count}" for status, count in sorted(statuses.items()))
        figure(f"{method.upper()} {path} {where} {statuses.total()} examples ({counts})")
    return statuses
