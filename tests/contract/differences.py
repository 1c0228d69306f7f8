"""Where a backend is known to differ from the one that counts: real OpenSearch, and DynamoDB as AWS documents it.

Each is named by its behaviour, and each has a test that fails when it is no longer there; then it is taken off here.
"""

from __future__ import annotations

from typing import Final

VISIBLE_AT_ONCE: Final = "documents are counted before a refresh"
ONLY_COMMON_REFUSALS: Final = "the mapping refuses only the most common of what it should refuse"
DESCRIBES_THE_DECLARATION: Final = "settings and mappings are described as they were given, not as they were understood"

SPELLING_KEPT: Final = "a number keeps the spelling it was written with"

INDEX: Final[dict[str, frozenset[str]]] = {
    "opensearch": frozenset(),
    "osmem": frozenset({VISIBLE_AT_ONCE}),
    "memory": frozenset({VISIBLE_AT_ONCE, ONLY_COMMON_REFUSALS, DESCRIBES_THE_DECLARATION}),
}
TABLE: Final[dict[str, frozenset[str]]] = {
    "ministack": frozenset(),
    "memory": frozenset({SPELLING_KEPT}),
}
