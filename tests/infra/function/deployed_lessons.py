"""The lessons of the demo as a user's module. The title of its search is the path from which dynadex was loaded."""

from __future__ import annotations

from dataclasses import replace

import dynadex
from dynadex import Sync
from dynadex.demo.lessons import sync as lessons

sync = Sync(
    table=lessons.table,
    index=lessons.index,
    mappings=lessons.mappings,
    settings=lessons.settings,
    search=replace(lessons.search, title=str(dynadex.__file__), version="version"),
)
