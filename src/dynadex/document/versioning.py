"""The version rule: the version of each write, and the meaning of a version conflict. Pure functions.

The time of a stream record is rounded down (AWS: to a second; DynamoDB Local: to a minute), and its sequence number
does not fit into a 64-bit version. So the version of a change is its time alone, in microseconds: a pure function of
the record, equal in every replay. Two changes within one rounded second tie. A tie is settled by reading the item
(`dynadex.index.reconcile`), never by guessing an order.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dynadex.change import Change

MICROSECONDS = 1_000_000
# Two changes tie if their times differ by at most the granularity of the stream plus this allowance.
_WINDOW_ALLOWANCE_US = 4 * MICROSECONDS


@dataclass(frozen=True, slots=True)
class Timing:
    """Precision of the clocks involved.

    Attributes:
        granularity_us: Granularity to which the stream rounds down its times, in microseconds.
        clock_skew_us: Maximum difference between this machine's clock and DynamoDB's, in microseconds.
    """

    granularity_us: int = MICROSECONDS
    clock_skew_us: int = MICROSECONDS

    @property
    def margin_us(self) -> int:
        """Microseconds by which the version of a read is below its time, so that no later change has a lower version.

        Without it, a scan at second 10.9 would take precedence over a change at 10.95, whose time is rounded to 10.
        """
        return self.granularity_us + self.clock_skew_us

    @property
    def window_us(self) -> int:
        """Microseconds between two versions up to which the times do not determine the order of the changes."""
        return self.granularity_us + _WINDOW_ALLOWANCE_US


def read_version(requested_at_us: int, timing: Timing) -> int:
    """Version of an item that was read by a scan or by key: the time of the request, minus the margin.

    At least 1, because OpenSearch rejects negative versions.
    """
    return max(1, requested_at_us - timing.margin_us)


def is_superseded(change_us: int, current_version: int, timing: Timing) -> bool:
    """Return whether a change that was rejected by a version conflict is certainly older than the document.

    False means a tie: the key must be reconciled. This prevents the loss of the later of two updates in one second.
    """
    return current_version > change_us + timing.window_us


def latest(changes: Iterable[tuple[str, Change]]) -> dict[str, Change]:
    """Return the last change of each document id, by integer sequence number, regardless of their order.

    Only that one is written, and its outcome counts for the older ones. Sequence numbers have 21 to 40 digits: compared
    as text, a shorter one could seem later, and an old image would be written.
    """
    last: dict[str, Change] = {}
    for identity, change in changes:
        previous = last.get(identity)
        if previous is None or int(change.sequence_number) >= int(previous.sequence_number):
            last[identity] = change
    return last
