"""THE rule: which version a write carries, and what a version conflict means. Pure functions only.

A stream record's time is rounded down (AWS: to a second; DynamoDB Local: to a minute), and its sequence number
fits no 64-bit version. So the version of a change is its time alone, in microseconds: a pure function of the
record, the same at every replay. Two changes within one rounded second tie, and a tie is settled by reading the
item (`dynadex.index.reconcile`), never by guessing an order.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dynadex.change import Change

MICROSECONDS = 1_000_000
# How much longer than the stream's time granularity two changes may seem apart and still be a tie.
_WINDOW_ALLOWANCE_US = 4 * MICROSECONDS


@dataclass(frozen=True, slots=True)
class Timing:
    """What the clocks involved are worth, both in microseconds.

    ``granularity_us``: what the stream's times are rounded down to. ``clock_skew_us``: how far our clock may be
    from DynamoDB's.
    """

    granularity_us: int = MICROSECONDS
    clock_skew_us: int = MICROSECONDS

    @property
    def margin_us(self) -> int:
        """How far a read's version stays below its time, so that no later change can carry a lower version.

        Without it a scan at second 10.9 would outrank a change at 10.95, whose time is rounded down to 10.
        """
        return self.granularity_us + self.clock_skew_us

    @property
    def window_us(self) -> int:
        """Versions closer than this may belong to changes whose order the times cannot tell."""
        return self.granularity_us + _WINDOW_ALLOWANCE_US


def read_version(requested_at_us: int, timing: Timing) -> int:
    """Version of an item that was read (scanned, or by key): the time its read was requested, minus the margin.

    Never below 1: OpenSearch takes no negative version.
    """
    return max(1, requested_at_us - timing.margin_us)


def is_superseded(change_us: int, current_version: int, timing: Timing) -> bool:
    """Whether a change that met a conflict is certainly older than what the index holds.

    False means a tie: the key must be reconciled. Prevents the loss of the later of two updates within a second.
    """
    return current_version > change_us + timing.window_us


def latest(changes: Iterable[tuple[str, Change]]) -> dict[str, Change]:
    """The last change of each document id, by integer sequence number, whatever order they arrived in.

    Only that one is written: the older ones share its fate. Sequence numbers have 21 to 40 digits; compared as
    text, a shorter one could seem to be the later, and an old image would win.
    """
    chosen: dict[str, Change] = {}
    for identity, change in changes:
        known = chosen.get(identity)
        if known is None or int(change.sequence_number) >= int(known.sequence_number):
            chosen[identity] = change
    return chosen
