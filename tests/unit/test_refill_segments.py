"""Into how many parts a refill divides its table by itself."""

from __future__ import annotations

import pytest

from dynadex.errors import SearchUnavailable
from dynadex.index.opensearch import OpenSearchIndex
from dynadex.refill.plan import DEFAULT_SEGMENTS, MAX_SUITED_SEGMENTS, suited_segments

PAGE = 2000


@pytest.mark.parametrize(
    ("items", "processors", "parts"),
    [
        (1_000_000, 2, 4),
        (1_000_000, 8, 16),
        (1_000_000, 1000, MAX_SUITED_SEGMENTS),
        (1_000_000, None, DEFAULT_SEGMENTS),
        (None, 8, 16),
        (None, None, DEFAULT_SEGMENTS),
        (1, 8, 1),
        (PAGE, 8, 1),
        (PAGE + 1, 8, 2),
        (5 * PAGE, None, DEFAULT_SEGMENTS),
    ],
)
def test_two_parts_for_each_processor_but_no_more_than_there_are_pages(
    items: int | None, processors: int | None, parts: int
) -> None:
    assert suited_segments(items, PAGE, processors) == parts


class _Client:
    """Answers one request with a reply, or with an error as opensearch-py raises it."""

    def __init__(self, answer: object) -> None:
        self.transport = self
        self._answer = answer

    def perform_request(self, *_: object, **__: object) -> object:
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


def processors(answer: object) -> int | None:
    return OpenSearchIndex(_Client(answer)).processors("songs")  # type: ignore[arg-type]


def node(processors: int, *roles: str) -> dict[str, object]:
    return {"roles": list(roles), "os": {"allocated_processors": processors}}


def test_only_nodes_with_documents_count() -> None:
    nodes = {"a": node(2, "data", "ingest"), "b": node(4, "data"), "c": node(8, "cluster_manager")}
    assert processors({"nodes": nodes}) == 6


@pytest.mark.parametrize("answer", [{}, {"nodes": {}}, {"nodes": {"a": {"roles": ["data"]}}}, [], "?"])
def test_a_cluster_that_does_not_tell_is_unknown(answer: object) -> None:
    assert processors(answer) is None


def test_a_cluster_that_may_not_be_asked_is_unknown_and_one_that_is_away_is_away() -> None:
    from opensearchpy.exceptions import AuthorizationException, ConnectionError

    assert processors(AuthorizationException(403, "security_exception", {})) is None
    with pytest.raises(SearchUnavailable):
        processors(ConnectionError("N/A", "refused", OSError("refused")))
