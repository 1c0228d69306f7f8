"""The tunes of the demo's lessons. scripts/make_songs.py documents their sources."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from importlib.resources import files
from itertools import islice
from typing import Any


def lessons(count: int | None = None) -> Iterator[dict[str, Any]]:
    """Yield the first ``count`` lessons as plain items, or all. A few lessons already contain every kind of tune."""
    with (files("dynadex.demo") / "songs.jsonl.gz").open("rb") as packed, gzip.open(packed) as lines:
        yield from map(json.loads, islice(lines, count))
