"""A fingerprint that shows where two large sets of ids differ, in memory that does not grow with the sets."""

from __future__ import annotations

from array import array
from hashlib import blake2b

_BUCKETS = 2**20
_VALUE_BITS = 64
_MASK = 2**_VALUE_BITS - 1
_DIGEST_BYTES = 12


def id_hash(identity: str, salt: bytes = b"") -> int:
    """Return a pseudo-random number of 96 bits that is the same for an id in every process."""
    encoded = identity.encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(encoded, digest_size=_DIGEST_BYTES, salt=salt).digest())


class Fingerprint:
    """Sums of hashes of ids, modulo 2**64, spread over buckets (8 bytes each, 8 MB by default).

    Add the ids of one set and remove those of the other, in any order. Ids in both sets cancel out. A bucket that
    contains any other id is zero with a probability of 1 in 2**64. Therefore ``suspects`` is true for every id that
    only one set contains, and for a few ids that share its bucket.
    """

    def __init__(self, buckets: int = _BUCKETS) -> None:
        self._sums = array("Q", bytes(8 * buckets))

    def add(self, identity: str) -> None:
        """Add an id of the first set."""
        bucket, value = self._place(identity)
        self._sums[bucket] = (self._sums[bucket] + value) & _MASK

    def remove(self, identity: str) -> None:
        """Remove an id of the second set."""
        bucket, value = self._place(identity)
        self._sums[bucket] = (self._sums[bucket] - value) & _MASK

    def suspects(self, identity: str) -> bool:
        """Return whether it is possible that only one set contains this id."""
        return self._sums[self._place(identity)[0]] != 0

    @property
    def balanced(self) -> bool:
        """Whether both sets contain the same ids."""
        return not any(self._sums)

    def copy(self) -> Fingerprint:
        """Return an independent fingerprint with the same sums."""
        other = Fingerprint(0)
        other._sums = self._sums[:]
        return other

    def _place(self, identity: str) -> tuple[int, int]:
        """Return the bucket of an id and the value to add there."""
        number = id_hash(identity)
        return (number >> _VALUE_BITS) % len(self._sums), number & _MASK
