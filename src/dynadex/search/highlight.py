"""Highlights: fields become a ``highlight`` clause, and the fragments OpenSearch returns become safe HTML."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from typing import Any

# Private-use characters: no font shows them and no keyboard types them. OpenSearch puts them around matched words.
MARK_START, MARK_END = "\ue000", "\ue001"

_MARKED = re.compile(f"{MARK_START}([^{MARK_START}{MARK_END}]*){MARK_END}")
_STRAY = re.compile(f"[{MARK_START}{MARK_END}]")


def highlight_clause(fields: Iterable[str]) -> dict[str, Any]:
    """Return the clause that highlights matched words in these fields. Each field is returned as one fragment."""
    return {
        "pre_tags": [MARK_START],
        "post_tags": [MARK_END],
        "number_of_fragments": 0,
        "fields": {name: {} for name in fields},
    }


def marked(fragment: str) -> str:
    """Return a fragment as HTML: the text is escaped first, then matched words are wrapped in ``<mark>``."""
    return _STRAY.sub("", _MARKED.sub(r"<mark>\1</mark>", html.escape(fragment)))
