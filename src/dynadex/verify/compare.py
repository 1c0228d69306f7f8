"""Compare every item with its document and every document with its item; yield what seems to differ.

The second direction reads no item twice. While the items are compared, each document that is found is added to a
fingerprint of the index; afterwards each document that the index lists is removed from it. What does not cancel out are
documents to which no item led, those that came or went meanwhile, and a few of their neighbors in the fingerprint:
only these are looked up by key.

A document with an item is for the first direction to report, one without an item for the second, unless it has
canceled out already. So no difference is reported twice, and none is missed that lasted from beginning to end: either
its item was scanned, or its document is listed and no item led to it. (An item that was written after the scan had
passed its place is not compared: the next run does it.)
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator, Sequence
from decimal import Decimal

from dynadex.change import Item
from dynadex.document.body import Built, same
from dynadex.document.identity import document_id, key_of_id
from dynadex.document.versioning import read_version
from dynadex.errors import SearchError, SearchUnavailable
from dynadex.retry import Retrier
from dynadex.runtime import Runtime
from dynadex.verify.fingerprint import Fingerprint, id_hash
from dynadex.verify.recheck import Candidate
from dynadex.verify.result import Verified

# Documents read at once.
_BATCH = 200
# Shortened ids looked for in one scan; about 600 bytes each.
MAX_SHORTENED = 20_000
# Documents remembered as looked at, in case their listing must begin anew; about 100 bytes each.
MAX_REMEMBERED = 100_000
_HASHES = 2**96
# What DynamoDB takes as a number: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
_MAX_DIGITS, _MIN_EXPONENT, _MAX_EXPONENT = 38, -130, 125

_log = logging.getLogger(__name__)

# Candidates that one small step of the comparison found; none for most steps.
Steps = Iterator[Sequence[Candidate]]


class Comparison:
    """One comparison of a table with an index. It counts in ``verified`` and waits for unavailable backends."""

    def __init__(self, runtime: Runtime, verified: Verified, retry: Retrier) -> None:
        self._runtime = runtime
        self._schema = runtime.description.schema
        self._reader = runtime.index
        self._verified = verified
        self._retry = retry

    def everything(self) -> Steps:
        """Compare every item, then every document."""
        fingerprint = Fingerprint()
        yield from self._compare_segment(0, 1, fingerprint)
        left = yield from self._without_listed(fingerprint)
        if not left.balanced:
            yield from self._look_up(left)

    def sample(self, segments: Sequence[int], total_segments: int, percent: float, salt: bytes) -> Steps:
        """Compare the items of some segments, then the documents whose salted hashes are in the percentage."""
        for segment in segments:
            yield from self._compare_segment(segment, total_segments, None)
        self._retry(lambda: self._reader.refresh(self._verified.index))
        limit = int(_HASHES * percent / 100)
        for ids in self._listed(lambda identity: id_hash(identity, salt) < limit):
            candidates = [self._candidate(identity) for identity in ids]
            self._verified.documents += len(ids)
            self._verified.unchecked += candidates.count(None)
            yield [candidate for candidate in candidates if candidate]

    def _compare_segment(self, segment: int, total_segments: int, fingerprint: Fingerprint | None) -> Steps:
        for items in self._pages(segment, total_segments):
            expected = [self._expected(item) for item in items]
            for start in range(0, len(expected), _BATCH):
                yield self._compare(expected[start : start + _BATCH], fingerprint)

    def _pages(self, segment: int, total_segments: int) -> Iterator[Sequence[Item]]:
        scan, position = self._runtime.scan(segment, total_segments), None
        while True:
            page_size = self._runtime.settings.refill_page_size
            page = self._retry(lambda: scan.page(position, page_size))  # noqa: B023 - called at once
            yield page.items
            position = page.last_evaluated_key
            if position is None:
                return

    def _expected(self, item: Item) -> tuple[str, Item, Built]:
        """The id of the item's document (empty: there can be no document), its key, and what the item becomes."""
        try:
            key = self._schema.key_of(item)
            return document_id(self._schema, key), key, self._runtime.sync.build(item)
        except ValueError as error:
            return "", {}, Built(problem=str(error))

    def _compare(
        self, expected: Sequence[tuple[str, Item, Built]], fingerprint: Fingerprint | None
    ) -> Sequence[Candidate]:
        self._verified.items += len(expected)
        self._verified.unindexable += sum(bool(built.problem) for _, _, built in expected)
        self._verified.not_indexed += sum(built.body is None and not built.problem for _, _, built in expected)
        ids = [identity for identity, _, _ in expected if identity]
        stored = self._retry(lambda: self._reader.get_many(self._verified.index, ids))
        documents = dict(zip(ids, stored, strict=True))
        candidates = []
        for identity, key, built in expected:
            document = documents.get(identity)
            if document and fingerprint:
                fingerprint.add(identity)
            if identity and not same(built.body, document.source if document else None):
                # A document that cancels out in the fingerprint is reported here even if its item is deleted by then.
                candidates.append(Candidate(identity, key, without_item=bool(document and fingerprint)))
        return candidates

    def _without_listed(self, fingerprint: Fingerprint) -> Generator[Sequence[Candidate], None, Fingerprint]:
        """Return what is left of the fingerprint without the documents that the index lists."""
        failures = 0
        while True:
            left, self._verified.documents = fingerprint.copy(), 0
            try:
                self._reader.refresh(self._verified.index)
                for page in self._reader.versions(self._verified.index):
                    for identity, _ in page:
                        left.remove(identity)
                    self._verified.documents += len(page)
                    yield ()
            except SearchError as error:
                self._retry.wait(error, failures)
                failures += 1
            else:
                return left

    def _look_up(self, left: Fingerprint) -> Steps:
        """Look up the documents that did not cancel out: by key, or by a scan where the id does not hold the key."""
        shortened: set[str] = set()
        unlisted = 0
        for ids in self._listed(left.suspects):
            candidates = []
            for identity in ids:
                candidate = self._candidate(identity)
                if candidate:
                    candidates.append(candidate)
                elif len(shortened) < MAX_SHORTENED:
                    shortened.add(identity)
                else:
                    unlisted += 1
            yield candidates
        if not unlisted:
            yield from self._look_for(shortened)
            return
        parts = -(-(len(shortened) + unlisted) // MAX_SHORTENED)
        for part in range(parts):
            ids_of_part = self._retry(lambda: self._shortened(left, part, parts))  # noqa: B023 - called at once
            yield from self._look_for(ids_of_part)

    def _listed(self, suspicious: Callable[[str], bool]) -> Iterator[Sequence[str]]:
        """Yield each suspicious id of the listing once, even where the listing must begin anew.

        That requires remembering them; with too many it does not begin anew: raises SearchError.
        """
        seen: set[int] = set()
        failures = 0
        while True:
            try:
                for page in self._reader.versions(self._verified.index):
                    ids = [identity for identity, _ in page if suspicious(identity) and id_hash(identity) not in seen]
                    seen.update(id_hash(identity) for identity in ids[: MAX_REMEMBERED - len(seen)])
                    yield ids
            except SearchUnavailable as error:
                if len(seen) >= MAX_REMEMBERED:
                    hint = "Too many documents were looked at to continue from there. Run the command again."
                    raise SearchError(error.operation, error.subject, error.reason, hint) from error
                self._retry.wait(error, failures)
                failures += 1
            else:
                return

    def _shortened(self, left: Fingerprint, part: int, parts: int) -> set[str]:
        """One part of the suspicious ids that do not hold their keys; the parts are about equal."""
        return {
            identity
            for page in self._reader.versions(self._verified.index)
            for identity, _ in page
            if left.suspects(identity) and id_hash(identity) % parts == part and self._candidate(identity) is None
        }

    def _look_for(self, ids: set[str]) -> Steps:
        """Scan the table for the items of shortened ids; those without an item are candidates."""
        if not ids:
            return
        below = read_version(self._runtime.clock.now_us(), self._runtime.timing)
        for items in self._pages(0, 1):
            ids.difference_update(map(self._identity, items))
            yield ()
        yield [Candidate(identity, None, below) for identity in ids]

    def _identity(self, item: Item) -> str:
        try:
            return document_id(self._schema, item)
        except ValueError:
            return ""

    def _candidate(self, identity: str) -> Candidate | None:
        """A listed document as a candidate for having no item; None for a shortened id."""
        try:
            key = key_of_id(self._schema, identity)
        except ValueError:
            return Candidate(identity, None)
        if key is None:
            return None
        return Candidate(identity, key, with_item=False) if _can_exist(key) else Candidate(identity, None)


def _can_exist(key: Item) -> bool:
    """Whether DynamoDB takes such a key; it refuses a whole batch of reads for one that it does not take."""
    parts = [part for value in key.values() for part in value.items()]
    return all(_is_number(content) if kind == "N" else len(content) > 0 for kind, content in parts)


def _is_number(text: str) -> bool:
    number = Decimal(text)
    digits = len("".join(map(str, number.as_tuple().digits)).strip("0"))
    return digits <= _MAX_DIGITS and (not number or _MIN_EXPONENT <= number.adjusted() <= _MAX_EXPONENT)
