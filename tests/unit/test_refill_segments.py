"""The number of segments that a backfill chooses."""

from __future__ import annotations

import pytest

from dynadex.errors import SearchUnavailable
from dynadex.index.opensearch import OpenSearchIndex
from dynadex.refill.plan import DEFAULT_SEGMENTS, MAX_SUITABLE_SEGMENTS, suitable_segments

PAGE = 2000


@pytest.mark.parametrize(
    ("items", "processors", "segments"),
    [
        (1_000_000, 2, 4),
        (1_000_000, 8, 16),
        (1_000_000, 1000, MAX_SUITABLE_SEGMENTS),
        (1_000_000, None, DEFAULT_SEGMENTS),
        (None, 8, 16),
        (None, None, DEFAULT_SEGMENTS),
        (1, 8, 1),
        (PAGE, 8, 1),
        (PAGE + 1, 8, 2),
        (5 * PAGE, None, DEFAULT_SEGMENTS),
    ],
)
def test_two_segments_for_each_processor_and_at_most_one_for_each_page(
    items: int | None, processors: int | None, segments: int
) -> None:
    assert suitable_segments(items, PAGE, processors) == segments


class _Client:
    """Returns a response to a request, or raises an error as opensearch-py does."""

    def __init__(self, response: object) -> None:
        self.transport = self
        self._response = response

    def perform_request(self, *_: object, **__: object) -> object:
        if isinstance(self._response, Exception):
            raise self._response
        return self._response


def processors(response: object) -> int | None:
    return OpenSearchIndex(_Client(response)).processors("songs")  # type: ignore[arg-type]


def node(processors: int, *roles: str) -> dict[str, object]:
    return {"roles": list(roles), "os": {"allocated_processors": processors}}


def test_only_data_nodes_count() -> None:
    nodes = {"a": node(2, "data", "ingest"), "b": node(4, "data"), "c": node(8, "cluster_manager")}
    assert processors({"nodes": nodes}) == 6


@pytest.mark.parametrize("response", [{}, {"nodes": {}}, {"nodes": {"a": {"roles": ["data"]}}}, [], "?"])
def test_number_of_processors_is_unknown_if_the_cluster_does_not_report_it(response: object) -> None:
    assert processors(response) is None


def test_denied_access_is_an_unknown_number_and_an_unavailable_cluster_is_an_error() -> None:
    from opensearchpy.exceptions import AuthorizationException, ConnectionError

    assert processors(AuthorizationException(403, "security_exception", {})) is None
    with pytest.raises(SearchUnavailable):
        processors(ConnectionError("N/A", "rejected", OSError("rejected")))
