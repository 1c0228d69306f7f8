"""The tunes that the demo's lessons are about. scripts/make_songs.py says where they come from."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from importlib.resources import files
from itertools import islice
from typing import Any


def lessons(count: int | None = None) -> Iterator[dict[str, Any]]:
    """The first ``count`` lessons as plain items, or all. Any first few are of every kind."""
    with (files("dynadex.demo") / "songs.jsonl.gz").open("rb") as packed, gzip.open(packed) as lines:
        yield from map(json.loads, islice(lines, count))
