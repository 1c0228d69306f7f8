"""Where two large sets of ids differ, in memory that does not grow with them."""

from __future__ import annotations

from array import array
from hashlib import blake2b

_BUCKETS = 2**20
_VALUE_BITS = 64
_MASK = 2**_VALUE_BITS - 1
_DIGEST_BYTES = 12


def id_hash(identity: str, salt: bytes = b"") -> int:
    """A number of 96 bits that looks random, the same for one id in every process."""
    encoded = identity.encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(encoded, digest_size=_DIGEST_BYTES, salt=salt).digest())


class Fingerprint:
    """Sums of hashes of ids, modulo 2**64, spread over buckets (8 bytes each, 8 MB by default).

    Add the ids of one set, remove those of the other. What both hold cancels, whatever the order; a bucket with
    anything else in it is zero by a chance of 1 in 2**64 only. So every id that just one set holds is in a bucket that
    ``suspects``, along with a few innocent neighbours.
    """

    def __init__(self, buckets: int = _BUCKETS) -> None:
        self._sums = array("Q", bytes(8 * buckets))

    def add(self, identity: str) -> None:
        """The first set holds this id."""
        bucket, value = self._place(identity)
        self._sums[bucket] = (self._sums[bucket] + value) & _MASK

    def remove(self, identity: str) -> None:
        """The second set holds this id."""
        bucket, value = self._place(identity)
        self._sums[bucket] = (self._sums[bucket] - value) & _MASK

    def suspects(self, identity: str) -> bool:
        """Whether it may be that only one set holds this id."""
        return self._sums[self._place(identity)[0]] != 0

    @property
    def balanced(self) -> bool:
        """Whether both sets hold the same ids."""
        return not any(self._sums)

    def copy(self) -> Fingerprint:
        """Another one with the same sums."""
        other = Fingerprint(0)
        other._sums = self._sums[:]
        return other

    def _place(self, identity: str) -> tuple[int, int]:
        number = id_hash(identity)
        return (number >> _VALUE_BITS) % len(self._sums), number & _MASK
