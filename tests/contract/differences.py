"""Known differences of each backend from its reference: a real OpenSearch, and DynamoDB as AWS documents it.

Each difference has a test that fails once the backend behaves like the reference; then it is removed from here.
"""

from __future__ import annotations

from typing import Final

VISIBLE_AT_ONCE: Final = "documents are counted before a refresh"
ONLY_COMMON_REJECTIONS: Final = "the mapping rejects only the most common invalid values"
DESCRIBES_THE_DECLARATION: Final = "settings and mappings are described verbatim"

SPELLING_KEPT: Final = "a number keeps the spelling it was written with"

INDEX: Final[dict[str, frozenset[str]]] = {
    "opensearch": frozenset(),
    "osmem": frozenset({VISIBLE_AT_ONCE}),
    "memory": frozenset({VISIBLE_AT_ONCE, ONLY_COMMON_REJECTIONS, DESCRIBES_THE_DECLARATION}),
}
TABLE: Final[dict[str, frozenset[str]]] = {
    "ministack": frozenset(),
    "memory": frozenset({SPELLING_KEPT}),
}
