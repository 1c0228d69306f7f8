"""Marks around what matched, set by OpenSearch, and HTML made of them: pure."""

from __future__ import annotations

import html
import re

# Private-use characters, which no font shows and nobody types: what stands between them matched.
MARK_START, MARK_END = "\ue000", "\ue001"

_MARKED = re.compile(f"{MARK_START}([^{MARK_START}{MARK_END}]*){MARK_END}")
_STRAY = re.compile(f"[{MARK_START}{MARK_END}]")


def marked(text: str) -> str:
    """Text with marker characters as HTML that is safe whatever the text says: all of it escaped, then <mark> set."""
    return _STRAY.sub("", _MARKED.sub(r"<mark>\1</mark>", html.escape(text)))
