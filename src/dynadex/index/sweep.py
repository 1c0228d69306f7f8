"""Sweep: after a full refill, delete the orphans, documents whose item no longer exists."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from dynadex.clock import Clock
from dynadex.errors import SearchUnavailable
from dynadex.index.bulk import External, Outcome, Write
from dynadex.index.writer import Writer

_BATCH_SECONDS = 60.0


class Listing(Protocol):
    """Operations of the search cluster that a sweep reads with."""

    def refresh(self, index: str) -> None: ...
    def versions(self, index: str) -> Iterator[list[tuple[str, int]]]: ...


@dataclass(slots=True)
class Swept:
    """Counts of a sweep: documents listed, orphans deleted, and documents written again before their delete."""

    listed: int = 0
    deleted: int = 0
    rewritten: int = 0

    def add(self, other: Swept) -> None:
        """Add the counts of another sweep."""
        self.listed += other.listed
        self.deleted += other.deleted
        self.rewritten += other.rewritten


def sweep(listing: Listing, writer: Writer, index: str, version: int, clock: Clock) -> Swept:
    """Delete every document below ``version``, the version of the first item that the refill read.

    Each existing item's document is at that version or above: the scan wrote it, or was rejected because it was newer
    already, or the stream has delivered it since. So a document below has no item, or one that cannot be indexed. A
    document that was written after it was listed conflicts with its delete, and stays.

    Raises SearchUnavailable when the cluster does not accept the deletes in time; the sweep can be repeated.
    """
    listing.refresh(index)
    swept = Swept()
    for page in listing.versions(index):
        # Lets a stoppable clock end the sweep between two pages.
        clock.sleep(0)
        swept.listed += len(page)
        orphans = [Write(identity, None, External(version)) for identity, current in page if current < version]
        if not orphans:
            continue
        replies = writer.write(index, orphans, clock.monotonic() + _BATCH_SECONDS)
        unsent = [reply for reply in replies if reply.outcome is Outcome.RETRY]
        if unsent:
            raise SearchUnavailable("sweep index", index, unsent[0].reason, "Run `dynadex refill` again.")
        swept.deleted += sum(reply.outcome is Outcome.APPLIED for reply in replies)
        swept.rewritten += sum(reply.outcome is Outcome.CONFLICT for reply in replies)
    return swept
