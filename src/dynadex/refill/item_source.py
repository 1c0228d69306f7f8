"""Where a backfill reads items from: a scan of the table, or an export."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

from dynadex import clients
from dynadex.refill.slices import Slice
from dynadex.runtime import Runtime
from dynadex.source.read_capacity import ReadCapacity
from dynadex.source.table_scan import Pages

if TYPE_CHECKING:
    from dynadex.source.export import Export


class ItemSource:
    """The table or an export of it, read within an optional read capacity in units per second.

    ``from_export`` names the export, None the table. Raises SourceError if the export cannot be used.
    """

    def __init__(self, runtime: Runtime, from_export: str | None = None, read_capacity: float | None = None) -> None:
        self._runtime = runtime
        self._capacity = (
            ReadCapacity(read_capacity, runtime.clock) if read_capacity and isfinite(read_capacity) else None
        )
        self.export = None if from_export is None else _open_export(runtime, from_export)

    def __str__(self) -> str:
        return f"export {self.export.name}" if self.export else f"a scan of table {self._runtime.sync.table}"

    @property
    def item_count(self) -> int | None:
        """Approximate number of items, None if unknown."""
        return self.export.item_count if self.export else self._runtime.description.item_count or None

    def pages(self, part: Slice) -> Pages:
        """Return the pages of one segment."""
        pages = (
            self.export.pages(part.segment, part.total_segments)
            if self.export
            else self._runtime.scan(part.segment, part.total_segments)
        )
        return self._capacity.of(pages) if self._capacity else pages


def _open_export(runtime: Runtime, location: str) -> Export:
    from dynadex.refill.replay import check_age, check_stream
    from dynadex.source.export import Export

    export = Export.open(location, lambda: clients.s3(runtime.settings))
    export.check_table(runtime.sync.table)
    check_age(export.export_time_us, runtime.clock.now_us())
    check_stream(runtime, export.export_time_us)
    return export
