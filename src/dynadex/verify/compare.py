"""Compare every item with its document and every document with its item; yield candidates for a difference.

The second direction reads no item twice. During the first direction, each document that is read is added to a
fingerprint of the index. Afterwards each document that the index lists is removed from it. The ids that do not cancel
out are those of documents without an item, of documents that were written or deleted in the meantime, and a few ids
that share their bucket in the fingerprint. Only these documents are looked up by key.

The first direction reports a document with an item. The second direction reports one without an item, unless it has
canceled out. Therefore no difference is reported twice, and no difference that lasted from start to end is missed:
either its item was scanned, or its document is listed and belongs to no scanned item. (An item that is written after
the scan has passed its position is compared by the next run.)
"""

from __future__ import annotations

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
from dynadex.verify.result import VerifyResult

# Documents read in one request.
_BATCH = 200
# Shortened ids whose items one scan searches for, at about 600 bytes each.
MAX_SHORTENED = 20_000
# Listed ids that are stored in case the listing must start again, at about 100 bytes each.
MAX_STORED_IDS = 100_000
_HASHES = 2**96
# The numbers that DynamoDB accepts: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
_MAX_DIGITS, _MIN_EXPONENT, _MAX_EXPONENT = 38, -130, 125

# The candidates of each small step of a comparison. Most steps have none.
Steps = Iterator[Sequence[Candidate]]


class Comparison:
    """One comparison of a table with an index. It counts in ``result`` and waits for unavailable backends."""

    def __init__(self, runtime: Runtime, result: VerifyResult, retry: Retrier) -> None:
        self._runtime = runtime
        self._schema = runtime.description.schema
        self._reader = runtime.index
        self._result = result
        self._retry = retry

    def compare_all(self) -> Steps:
        """Compare every item, then every document."""
        fingerprint = Fingerprint()
        yield from self._compare_segment(0, 1, fingerprint)
        remainder = yield from self._without_listed(fingerprint)
        if not remainder.balanced:
            yield from self._look_up(remainder)

    def compare_sample(self, segments: Sequence[int], total_segments: int, percent: float, salt: bytes) -> Steps:
        """Compare the items of some segments, then the documents whose salted hashes are within the percentage."""
        for segment in segments:
            yield from self._compare_segment(segment, total_segments, None)
        self._retry(lambda: self._reader.refresh(self._result.index))
        limit = int(_HASHES * percent / 100)
        for ids in self._listed(lambda identity: id_hash(identity, salt) < limit):
            candidates = [self._candidate(identity) for identity in ids]
            self._result.documents += len(ids)
            self._result.unchecked += candidates.count(None)
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
            page = self._retry(lambda: scan.page(position, page_size))  # noqa: B023 - called immediately
            yield page.items
            position = page.last_evaluated_key
            if position is None:
                return

    def _expected(self, item: Item) -> tuple[str, Item, Built]:
        """Return the id of the item's document (empty if it cannot have one), its key, and what the item becomes."""
        try:
            key = self._schema.key_of(item)
            return document_id(self._schema, key), key, self._runtime.sync.build(item)
        except ValueError as error:
            return "", {}, Built(problem=str(error))

    def _compare(
        self, expected: Sequence[tuple[str, Item, Built]], fingerprint: Fingerprint | None
    ) -> Sequence[Candidate]:
        self._result.items += len(expected)
        self._result.unindexable += sum(bool(built.problem) for _, _, built in expected)
        self._result.not_indexed += sum(built.body is None and not built.problem for _, _, built in expected)
        ids = [identity for identity, _, _ in expected if identity]
        stored = self._retry(lambda: self._reader.get_many(self._result.index, ids))
        documents = dict(zip(ids, stored, strict=True))
        candidates = []
        for identity, key, built in expected:
            document = documents.get(identity)
            if document and fingerprint:
                fingerprint.add(identity)
            if identity and not same(built.body, document.source if document else None):
                # A document that cancels out in the fingerprint is reported here, even if its item is deleted later.
                candidates.append(Candidate(identity, key, without_item=bool(document and fingerprint)))
        return candidates

    def _without_listed(self, fingerprint: Fingerprint) -> Generator[Sequence[Candidate], None, Fingerprint]:
        """Return the remainder of the fingerprint after removing every document that the index lists."""
        failures = 0
        while True:
            remainder, self._result.documents = fingerprint.copy(), 0
            try:
                self._reader.refresh(self._result.index)
                for page in self._reader.versions(self._result.index):
                    for identity, _ in page:
                        remainder.remove(identity)
                    self._result.documents += len(page)
                    yield ()
            except SearchError as error:
                self._retry.wait(error, failures)
                failures += 1
            else:
                return remainder

    def _look_up(self, remainder: Fingerprint) -> Steps:
        """Yield the documents that did not cancel out; search the table for the items of shortened ids."""
        shortened: set[str] = set()
        excess = 0
        for ids in self._listed(remainder.suspects):
            candidates = []
            for identity in ids:
                candidate = self._candidate(identity)
                if candidate:
                    candidates.append(candidate)
                elif len(shortened) < MAX_SHORTENED:
                    shortened.add(identity)
                else:
                    excess += 1
            yield candidates
        if not excess:
            yield from self._search_for(shortened)
            return
        parts = -(-(len(shortened) + excess) // MAX_SHORTENED)
        for part in range(parts):
            ids_of_part = self._retry(lambda: self._shortened(remainder, part, parts))  # noqa: B023 - called immediately
            yield from self._search_for(ids_of_part)

    def _listed(self, is_suspect: Callable[[str], bool]) -> Iterator[Sequence[str]]:
        """Yield each suspect id of the listing once, even if the listing must start again.

        Raises SearchError instead of starting again if more than MAX_STORED_IDS ids have been yielded.
        """
        seen: set[int] = set()
        failures = 0
        while True:
            try:
                for page in self._reader.versions(self._result.index):
                    ids = [identity for identity, _ in page if is_suspect(identity) and id_hash(identity) not in seen]
                    seen.update(id_hash(identity) for identity in ids[: MAX_STORED_IDS - len(seen)])
                    yield ids
            except SearchUnavailable as error:
                if len(seen) >= MAX_STORED_IDS:
                    hint = "Too many documents have been compared to resume the listing. Run the command again."
                    raise SearchError(error.operation, error.subject, error.reason, hint) from error
                self._retry.wait(error, failures)
                failures += 1
            else:
                return

    def _shortened(self, remainder: Fingerprint, part: int, parts: int) -> set[str]:
        """Return one of several parts, about equal in size, of the suspect ids that do not contain their keys."""
        return {
            identity
            for page in self._reader.versions(self._result.index)
            for identity, _ in page
            if remainder.suspects(identity) and id_hash(identity) % parts == part and self._candidate(identity) is None
        }

    def _search_for(self, ids: set[str]) -> Steps:
        """Scan the table for the items of shortened ids, and yield the ids without an item as candidates."""
        if not ids:
            return
        scan_version = read_version(self._runtime.clock.now_us(), self._runtime.timing)
        for items in self._pages(0, 1):
            ids.difference_update(map(self._identity, items))
            yield ()
        yield [Candidate(identity, None, scan_version) for identity in ids]

    def _identity(self, item: Item) -> str:
        try:
            return document_id(self._schema, item)
        except ValueError:
            return ""

    def _candidate(self, identity: str) -> Candidate | None:
        """Return a listed document as a candidate for an orphan, or None for a shortened id."""
        try:
            key = key_of_id(self._schema, identity)
        except ValueError:
            return Candidate(identity, None)
        if key is None:
            return None
        return Candidate(identity, key, with_item=False) if _can_exist(key) else Candidate(identity, None)


def _can_exist(key: Item) -> bool:
    """Return whether DynamoDB accepts a key. It rejects a whole batch of reads that contains an invalid one."""
    parts = [part for value in key.values() for part in value.items()]
    return all(_is_number(content) if kind == "N" else len(content) > 0 for kind, content in parts)


def _is_number(text: str) -> bool:
    number = Decimal(text)
    digits = len("".join(map(str, number.as_tuple().digits)).strip("0"))
    return digits <= _MAX_DIGITS and (not number or _MIN_EXPONENT <= number.adjusted() <= _MAX_EXPONENT)
