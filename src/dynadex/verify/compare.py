"""Both directions of a comparison: from every item to its document, and from every document to its item.

The second one reads no item twice. While the items are compared, each document found is added to a fingerprint of the
index; afterwards each document that the index lists is taken out again. What does not cancel are documents that no
item led to, those that came or went meanwhile, and a few neighbours of theirs in the fingerprint: these alone are
looked up by key.

A document whose item is there is for the first direction to report, one without an item for the second, unless it has
cancelled already. So nothing is told twice, and nothing is missed that differed from beginning to end: its item was
scanned, or its document is listed and no item led to it. (An item that came after the scan had passed its place is not
compared: the next run does it.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from functools import partial
from typing import Protocol

from dynadex.change import Item
from dynadex.clock import Clock
from dynadex.document.body import Built, same
from dynadex.document.identity import KeySchema, document_id, key_of_id
from dynadex.document.versioning import Timing, read_version
from dynadex.errors import SearchError, SearchUnavailable
from dynadex.index.opensearch import Stored
from dynadex.index.reconcile import Build
from dynadex.retry import Retrier
from dynadex.source.table_scan import Pages
from dynadex.verify.fingerprint import Fingerprint, id_hash
from dynadex.verify.recheck import Candidate, Rechecks
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


class IndexReader(Protocol):
    """What a comparison asks of a search cluster."""

    def get_many(self, index: str, ids: Sequence[str]) -> list[Stored | None]: ...
    def refresh(self, index: str) -> None: ...
    def versions(self, index: str) -> Iterator[list[tuple[str, int]]]: ...


class Directions:
    """One comparison. ``scan`` gives a segment's pages, ``on_step`` is called after each small step.

    Counts go to ``verified``, and what seems to differ to ``rechecks``. ``patience`` waits for backends that are away.
    """

    def __init__(
        self,
        schema: KeySchema,
        build: Build,
        scan: Callable[[int, int], Pages],
        documents: IndexReader,
        rechecks: Rechecks,
        verified: Verified,
        patience: Retrier,
        clock: Clock,
        timing: Timing,
        on_step: Callable[[], None],
        *,
        page_items: int | None = None,
    ) -> None:
        self._schema = schema
        self._build = build
        self._scan = scan
        self._documents = documents
        self._rechecks = rechecks
        self._verified = verified
        self._patience = patience
        self._clock = clock
        self._timing = timing
        self._on_step = on_step
        self._page_items = page_items

    def everything(self) -> None:
        """Every item, then every document."""
        fingerprint = Fingerprint()
        self._compare_segment(0, 1, fingerprint)
        left = self._patience(lambda: self._without_listed(fingerprint))
        if not left.balanced:
            self._look_up(left)

    def sample(self, segments: Sequence[int], total_segments: int, percent: float, salt: bytes) -> None:
        """The items of some segments, then the documents whose salted hashes are in the percentage."""
        for segment in segments:
            self._compare_segment(segment, total_segments, None)
        self._patience(lambda: self._documents.refresh(self._verified.index))
        limit = int(_HASHES * percent / 100)

        def take(identity: str) -> None:
            self._verified.documents += 1
            candidate = self._candidate(identity)
            self._verified.unchecked += candidate is None
            if candidate:
                self._rechecks.add(candidate)

        self._each_listed(lambda identity: id_hash(identity, salt) < limit, take)

    def _compare_segment(self, segment: int, total_segments: int, fingerprint: Fingerprint | None) -> None:
        for items in self._pages(segment, total_segments):
            wanted = [self._wanted(item) for item in items]
            for start in range(0, len(wanted), _BATCH):
                self._compare(wanted[start : start + _BATCH], fingerprint)
                self._step()

    def _pages(self, segment: int, total_segments: int) -> Iterator[Sequence[Item]]:
        scan, position = self._scan(segment, total_segments), None
        while True:
            page = self._patience(lambda: scan.page(position, self._page_items))  # noqa: B023 - called at once
            yield page.items
            position = page.last_evaluated_key
            if position is None:
                return

    def _wanted(self, item: Item) -> tuple[str, Item, Built]:
        """The id that the item's document has (none: there can be no document), its key, and what it becomes."""
        try:
            key = self._schema.key_of(item)
            return document_id(self._schema, key), key, self._build(item)
        except ValueError as error:
            return "", {}, Built(problem=str(error))

    def _identity(self, item: Item) -> str:
        try:
            return document_id(self._schema, item)
        except ValueError:
            return ""

    def _compare(self, wanted: Sequence[tuple[str, Item, Built]], fingerprint: Fingerprint | None) -> None:
        self._verified.items += len(wanted)
        self._verified.unindexable += sum(bool(built.problem) for _, _, built in wanted)
        self._verified.not_indexed += sum(built.body is None and not built.problem for _, _, built in wanted)
        ids = [identity for identity, _, _ in wanted if identity]
        stored = self._patience(lambda: self._documents.get_many(self._verified.index, ids))
        found = dict(zip(ids, stored, strict=True))
        for identity, key, built in wanted:
            document = found.get(identity)
            if document and fingerprint:
                fingerprint.add(identity)
            if identity and not same(built.body, document.source if document else None):
                # A document that has cancelled in the fingerprint is told of here even when its item is gone by then.
                self._rechecks.add(Candidate(identity, key, without_item=bool(document and fingerprint)))

    def _without_listed(self, fingerprint: Fingerprint) -> Fingerprint:
        """What is left of the fingerprint without what the index lists."""
        left, self._verified.documents = fingerprint.copy(), 0
        self._documents.refresh(self._verified.index)
        for page in self._documents.versions(self._verified.index):
            for identity, _ in page:
                left.remove(identity)
            self._verified.documents += len(page)
            self._step()
        return left

    def _look_up(self, left: Fingerprint) -> None:
        shortened: set[str] = set()
        unlisted = 0

        def take(identity: str) -> None:
            nonlocal unlisted
            candidate = self._candidate(identity)
            if candidate:
                self._rechecks.add(candidate)
            elif len(shortened) < MAX_SHORTENED:
                shortened.add(identity)
            else:
                unlisted += 1

        self._each_listed(left.suspects, take)
        if not unlisted:
            self._look_for(shortened)
            return
        parts = -(-(len(shortened) + unlisted) // MAX_SHORTENED)
        for part in range(parts):
            self._look_for(self._patience(partial(self._shortened, left, part, parts)))

    def _each_listed(self, wanted: Callable[[str], bool], take: Callable[[str], None]) -> None:
        """Take each listed id that is wanted, once, even where the listing must begin anew.

        That takes remembering them; with too many it does not begin anew: raises SearchError.
        """
        taken: set[int] = set()

        def listing() -> None:
            for page in self._documents.versions(self._verified.index):
                for identity in (one for one, _ in page if wanted(one)):
                    if (number := id_hash(identity)) not in taken:
                        if len(taken) < MAX_REMEMBERED:
                            taken.add(number)
                        take(identity)
                self._step()

        def listing_while_remembered() -> None:
            try:
                listing()
            except SearchUnavailable as error:
                if len(taken) < MAX_REMEMBERED:
                    raise
                hint = "So many documents are looked at that it cannot go on from there: run it again."
                raise SearchError(error.operation, error.subject, error.reason, hint) from error

        self._patience(listing_while_remembered)

    def _shortened(self, left: Fingerprint, part: int, parts: int) -> set[str]:
        """One part of the suspicious ids that do not tell their keys; the parts are about equal."""
        return {
            identity
            for page in self._documents.versions(self._verified.index)
            for identity, _ in page
            if left.suspects(identity) and id_hash(identity) % parts == part and self._candidate(identity) is None
        }

    def _look_for(self, ids: set[str]) -> None:
        """Scan the table for the items of shortened ids; those without one are candidates."""
        if not ids:
            return
        below = read_version(self._clock.now_us(), self._timing)
        for items in self._pages(0, 1):
            ids.difference_update(map(self._identity, items))
            self._step()
        for identity in ids:
            self._rechecks.add(Candidate(identity, None, below))

    def _candidate(self, identity: str) -> Candidate | None:
        """A listed document as a candidate for having no item; None for a shortened id."""
        try:
            key = key_of_id(self._schema, identity)
        except ValueError:
            return Candidate(identity, None)
        if key is None:
            return None
        return Candidate(identity, key, with_item=False) if _can_exist(key) else Candidate(identity, None)

    def _step(self) -> None:
        # A place to stop, where the clock can be stopped.
        self._clock.sleep(0)
        self._rechecks.pump()
        self._on_step()


def _can_exist(key: Item) -> bool:
    """Whether DynamoDB takes such a key; it refuses a whole batch of reads for one that it does not."""
    parts = [part for value in key.values() for part in value.items()]
    return all(_is_number(content) if kind == "N" else len(content) > 0 for kind, content in parts)


def _is_number(text: str) -> bool:
    number = Decimal(text)
    digits = len("".join(map(str, number.as_tuple().digits)).strip("0"))
    return digits <= _MAX_DIGITS and (not number or _MIN_EXPONENT <= number.adjusted() <= _MAX_EXPONENT)
