"""13,925 real songs in eight languages, with varying fields."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

from dynadex.document import body

_SONGS = Path(__file__).parent / "data/songs.jsonl.gz"


def all_songs() -> list[dict[str, Any]]:
    """Return every song as a plain item."""
    with gzip.open(_SONGS) as lines:
        return [body.decode(line) for line in lines]
