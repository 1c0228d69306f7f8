"""Into how many parts a refill divides its table, where nobody says."""

from __future__ import annotations

import math

from dynadex.run.wiring import Runtime

# What the search cluster does not tell, or an unknown number of items, is taken for this.
DEFAULT = 4
MOST = 32
# While one bulk request of a processor's is at work, the next one is on its way.
_PER_PROCESSOR = 2


def found(items: int | None, page_items: int, processors: int | None) -> int:
    """Two parts for each processor that writes documents, no more than the table has pages, and 32 at most.

    ``items`` and ``processors`` are None where they are not known. Pure.
    """
    wanted = min(MOST, processors * _PER_PROCESSOR) if processors else DEFAULT
    return max(1, min(wanted, math.ceil(items / page_items))) if items else wanted


def segments(runtime: Runtime, items: int | None) -> int:
    """The parts of a refill of about so many items by this runtime. Raises SearchUnavailable."""
    return found(items, runtime.settings.page_items, runtime.index.processors(runtime.sync.index))
