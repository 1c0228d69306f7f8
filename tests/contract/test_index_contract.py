"""Contract of a search cluster: one suite for the fake, the local stack's OpenSearch and a real OpenSearch."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest

import dynadex
from dynadex import clients, declaration
from dynadex.document.body import decode, encode
from dynadex.document.identity import MAX_ID_BYTES
from dynadex.errors import DeclarationError, SearchError
from dynadex.index.aliases import creation_body, differences, ensure_index
from dynadex.index.bulk import External, Outcome, Unchanged, Write, classify
from dynadex.index.opensearch import OpenSearchIndex, Stored
from dynadex.local.stack import Endpoints
from dynadex.settings import RuntimeSettings
from dynadex.testing import InMemoryIndex, ManualClock
from tests.contract.differences import (
    DESCRIBES_THE_DECLARATION,
    INDEX,
    ONLY_COMMON_REJECTIONS,
    VISIBLE_AT_ONCE,
)
from tests.waiting import HANG_SECONDS, let_pass, wait_for

APPLIED, CONFLICT, REJECTED = Outcome.APPLIED, Outcome.CONFLICT, Outcome.REJECTED
# Lifetime of tombstones in a test: OpenSearch reads its clock every 200 ms.
SHORT_GC_DELETES_SECONDS = 1.0
MAX_INDEX = 234
MAPPINGS: dict[str, Any] = {
    "dynamic": False,
    "properties": {"n": {"type": "integer"}, "k": {"type": "keyword"}, "b": {"type": "boolean"}},
}


@dataclass
class Backend:
    """A search cluster, and its time."""

    name: str
    cluster: InMemoryIndex | OpenSearchIndex
    pass_time: Callable[[float], None]
    monotonic: Callable[[], float]
    made: list[str] = field(default_factory=list)

    def new_name(self) -> str:
        name = f"contract-{uuid.uuid4().hex[:12]}"
        self.made.append(name)
        return name

    def differs(self, behaviour: str) -> bool:
        return behaviour in INDEX[self.name]


@pytest.fixture(scope="session", params=list(INDEX))
def session_backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    if request.param == "memory":
        clock = ManualClock()
        request.getfixturevalue("report_backend")(f"memory index {dynadex.__version__}")
        yield Backend("memory", InMemoryIndex(clock), clock.advance, clock.monotonic)
        return
    if request.param == "osmem":
        endpoints: Endpoints = request.getfixturevalue("local_stack")
        url = endpoints.opensearch
    else:
        url = request.getfixturevalue("opensearch_url")
    client = clients.opensearch(RuntimeSettings(opensearch_url=url))
    yield Backend(request.param, OpenSearchIndex(client), let_pass, time.monotonic)
    client.close()


@pytest.fixture
def backend(session_backend: Backend) -> Iterator[Backend]:
    """The backend, without the indexes of the test after it."""
    yield session_backend
    for name in session_backend.made:
        if session_backend.cluster.exists(name):
            session_backend.cluster.delete(name)
    session_backend.made.clear()


class Documents:
    """One index of one test."""

    def __init__(self, backend: Backend, **body: Any) -> None:
        self.cluster = backend.cluster
        self.name = backend.new_name()
        self.cluster.create(self.name, {"mappings": MAPPINGS, **body})

    def send(self, *writes: Write) -> list[Outcome]:
        """Send one bulk request, and return the outcome of each write."""
        body = b"".join(write.encoded() for write in writes)
        return [classify(item).outcome for item in self.cluster.bulk(self.name, body, HANG_SECONDS)]

    def put(self, identity: str, version: int, **document: Any) -> Outcome:
        return self.send(Write(identity, encode(document), External(version)))[0]

    def remove(self, identity: str, version: int) -> Outcome:
        return self.send(Write(identity, None, External(version)))[0]

    def create(self, identity: str, **document: Any) -> Outcome:
        action = orjson.dumps({"create": {"_id": identity}})
        [item] = self.cluster.bulk(self.name, b"%b\n%b\n" % (action, encode(document)), HANG_SECONDS)
        return classify(item).outcome

    def get(self, identity: str) -> Stored | None:
        return self.cluster.get_many(self.name, [identity])[0]

    def existing(self, identity: str) -> Stored:
        stored = self.get(identity)
        assert stored is not None
        return stored


@pytest.fixture
def documents(backend: Backend) -> Documents:
    return Documents(backend)


class TestVersions:
    """Part 1 of the rule: with version_type external the greater version is kept, for documents and tombstones."""

    @pytest.mark.parametrize(("version", "outcome"), [(9, CONFLICT), (10, CONFLICT), (11, APPLIED)])
    def test_write_needs_a_greater_version_than_the_document(
        self, documents: Documents, version: int, outcome: Outcome
    ) -> None:
        assert documents.put("a", 10, n=1) is APPLIED
        assert documents.put("a", version, n=2) is outcome
        assert documents.existing("a").source == {"n": 2 if outcome is APPLIED else 1}
        assert documents.existing("a").version == max(10, version)

    @pytest.mark.parametrize(("version", "outcome"), [(9, CONFLICT), (10, CONFLICT), (11, APPLIED)])
    def test_delete_needs_a_greater_version_than_the_document(
        self, documents: Documents, version: int, outcome: Outcome
    ) -> None:
        documents.put("a", 10)
        assert documents.remove("a", version) is outcome
        assert (documents.get("a") is None) is (outcome is APPLIED)

    @pytest.mark.parametrize(("version", "outcome"), [(19, CONFLICT), (20, CONFLICT), (21, APPLIED)])
    @pytest.mark.parametrize("there_was_one", [True, False], ids=["a document", "nothing"])
    def test_delete_leaves_a_tombstone_that_rejects_older_writes(
        self, documents: Documents, version: int, outcome: Outcome, there_was_one: bool
    ) -> None:
        if there_was_one:
            documents.put("a", 10)
        assert documents.remove("a", 20) is APPLIED
        documents.cluster.refresh(documents.name)
        assert documents.put("a", version) is outcome
        assert (documents.get("a") is not None) is (outcome is APPLIED)

    @pytest.mark.parametrize(("version", "outcome"), [(20, CONFLICT), (21, APPLIED)])
    def test_tombstone_rejects_older_deletes(self, documents: Documents, version: int, outcome: Outcome) -> None:
        documents.remove("a", 20)
        assert documents.remove("a", version) is outcome

    def test_versions_hold_microseconds_up_to_the_year_9999(self, documents: Documents) -> None:
        in_the_year_9999 = 253_402_300_799_999_999
        assert documents.put("a", in_the_year_9999) is APPLIED
        assert documents.put("a", in_the_year_9999) is CONFLICT
        assert documents.existing("a").version == in_the_year_9999

    def test_writes_of_one_bulk_request_are_applied_in_order(self, documents: Documents) -> None:
        first, second = (Write("a", encode({"n": version}), External(version)) for version in (2, 1))
        assert documents.send(first, second, Write("a", None, External(3)), first) == [
            APPLIED,
            CONFLICT,
            APPLIED,
            CONFLICT,
        ]
        assert documents.get("a") is None

    def test_tombstone_expires_after_gc_deletes_without_a_refresh(self, backend: Backend) -> None:
        """OpenSearch ignores an expired tombstone on a write, whether it has pruned it or not."""
        documents = Documents(backend, settings={"index": {"gc_deletes": f"{SHORT_GC_DELETES_SECONDS:g}s"}})
        began = backend.monotonic()
        documents.remove("a", 20)

        def expired() -> bool:
            conflicts = documents.put("a", 10) is CONFLICT
            if conflicts:
                backend.pass_time(0.05)
            return not conflicts

        wait_for(expired, "the end of the tombstone", every_seconds=0)
        assert backend.monotonic() - began >= SHORT_GC_DELETES_SECONDS - 0.25
        assert documents.existing("a").version == 10

    def test_tombstone_outlives_refreshes(self, backend: Backend) -> None:
        documents = Documents(backend, settings={"index": {"gc_deletes": "15m"}})
        documents.remove("a", 20)
        for _ in range(3):
            backend.pass_time(0.1)
            documents.cluster.refresh(documents.name)
        assert documents.put("a", 10) is CONFLICT


class TestConditions:
    """Part 4 of the rule: the conditions that reconciliation uses where versions cannot order writes."""

    def test_unchanged_document_is_overwritten_at_the_next_version(self, documents: Documents) -> None:
        documents.put("a", 10, n=1)
        stored = documents.existing("a")
        write = Write("a", encode({"n": 2}), Unchanged(stored.seq_no, stored.primary_term))
        assert documents.send(write) == [APPLIED]
        assert documents.existing("a") == Stored(11, documents.existing("a").seq_no, stored.primary_term, {"n": 2})
        assert documents.send(write) == [CONFLICT]

    def test_unchanged_document_is_deleted_at_the_next_version(self, documents: Documents) -> None:
        documents.put("a", 10)
        stored = documents.existing("a")
        assert documents.send(Write("a", None, Unchanged(stored.seq_no, stored.primary_term))) == [APPLIED]
        assert documents.get("a") is None
        assert documents.put("a", 11) is CONFLICT
        assert documents.put("a", 12) is APPLIED

    @pytest.mark.parametrize(("seq_no", "primary_term"), [(1, 0), (-1, 0), (0, 1)], ids=["later", "earlier", "term"])
    @pytest.mark.parametrize("body", [b"{}", None], ids=["write", "delete"])
    def test_changed_document_is_not_overwritten(
        self, documents: Documents, seq_no: int, primary_term: int, body: bytes | None
    ) -> None:
        documents.put("other", 1)
        documents.put("a", 10, n=1)
        stored = documents.existing("a")
        condition = Unchanged(stored.seq_no + seq_no, stored.primary_term + primary_term)
        assert documents.send(Write("a", body, condition)) == [CONFLICT]
        assert documents.existing("a") == stored

    @pytest.mark.parametrize("body", [b"{}", None], ids=["write", "delete"])
    def test_deleted_document_counts_as_changed(self, documents: Documents, body: bytes | None) -> None:
        documents.put("a", 10)
        stored = documents.existing("a")
        condition = Unchanged(stored.seq_no, stored.primary_term)
        documents.remove("a", 11)
        assert documents.send(Write("a", body, condition), Write("never", body, condition)) == [CONFLICT, CONFLICT]

    def test_each_write_gets_the_next_sequence_number(self, documents: Documents) -> None:
        numbers = []
        for version in (1, 2, 3):
            documents.put("a", version)
            numbers.append(documents.existing("a").seq_no)
        assert numbers == [numbers[0], numbers[0] + 1, numbers[0] + 2]

    def test_create_ignores_a_tombstone_and_takes_the_next_version(self, documents: Documents) -> None:
        documents.remove("a", 50)
        assert documents.create("a", n=1) is APPLIED
        assert documents.existing("a").version == 51
        assert documents.put("a", 51) is CONFLICT
        assert documents.put("a", 52) is APPLIED

    def test_create_conflicts_with_an_existing_document(self, documents: Documents) -> None:
        assert documents.create("a", n=1) is APPLIED
        assert documents.existing("a").version == 1
        assert documents.create("a", n=2) is CONFLICT
        assert documents.existing("a").source == {"n": 1}


class TestDocuments:
    """Documents are read back unchanged, under the id they were written with."""

    @pytest.mark.parametrize(
        "number",
        [
            "9223372036854775808",
            "12345678901234567890123456789012345678",
            "-99999999999999999999999999999999999999",
            "0.12345678901234567890123456789012345678",
            "1.50",
            "1E+125",
            "1E-130",
            "-0.0",
        ],
    )
    def test_number_keeps_every_digit(self, documents: Documents, number: str) -> None:
        body = b'{"exact":%b,"in":[{"a":%b}]}' % (number.encode(), number.encode())
        assert documents.send(Write("a", body, External(1))) == [APPLIED]
        source = documents.existing("a").source
        assert source == decode(body)
        assert str(source["exact"]) == str(decode(number))

    @pytest.mark.parametrize(
        "document",
        [{}, {"text": 'é🎻 "\\\n\t\0\u2028'}, {"deep": [[[{"a": [None, True, {}]}]]]}, {"a.b": {"c": 1}, " ": 2}],
        ids=["empty", "text", "deep", "names"],
    )
    def test_document_is_read_back_unchanged(self, documents: Documents, document: dict[str, Any]) -> None:
        assert documents.put("a", 1, **document) is APPLIED
        assert documents.existing("a").source == document

    @pytest.mark.parametrize(
        "identity",
        [
            "a|b",
            "100%25|%7C",
            "Ríl 丧 🎻",
            "\0",
            "a\0b",
            "a\nb\r\t",
            '"\\',
            " ",
            "..",
            "/a?b#c&d",
            "_id",
            "\x7f\x85\u2028",
            "x" * MAX_ID_BYTES,
            "é" * (MAX_ID_BYTES // 2),
        ],
    )
    def test_any_id_of_up_to_512_bytes_is_accepted(self, documents: Documents, identity: str) -> None:
        assert documents.put(identity, 1, n=1) is APPLIED
        assert documents.existing(identity).source == {"n": 1}
        assert documents.remove(identity, 2) is APPLIED
        assert documents.get(identity) is None

    @pytest.mark.parametrize("identity", ["x" * (MAX_ID_BYTES + 1), "é" * (MAX_ID_BYTES // 2) + "x"])
    def test_one_longer_id_fails_the_whole_bulk_request(self, documents: Documents, identity: str) -> None:
        fine, long = (Write(each, b"{}", External(1)) for each in ("fine", identity))
        with pytest.raises(SearchError, match="too long") as caught:
            documents.send(fine, long)
        assert caught.value.status == 400
        assert documents.get("fine") is None

    def test_only_the_document_that_the_mapping_rejects_is_rejected(self, documents: Documents) -> None:
        writes = [
            Write("one", b'{"n":1}', External(1)),
            Write("text", b'{"n":"many"}', External(1)),
            Write("object", b'{"k":{"a":1}}', External(1)),
            Write("two", b'{"n":"2","unmapped":{"a":1}}', External(1)),
        ]
        assert documents.send(*writes) == [APPLIED, REJECTED, REJECTED, APPLIED]
        stored = documents.cluster.get_many(documents.name, ["one", "text", "object", "two"])
        assert [document is not None for document in stored] == [True, False, False, True]

    def test_rejection_names_the_field(self, documents: Documents) -> None:
        body = Write("a", b'{"n":"many"}', External(1)).encoded()
        [item] = documents.cluster.bulk(documents.name, body, HANG_SECONDS)
        assert "failed to parse field [n] of type [integer]" in classify(item).reason

    def test_rejected_write_leaves_the_document_and_its_version(self, documents: Documents) -> None:
        documents.put("a", 10, n=1)
        assert documents.put("a", 20, n="many") is REJECTED
        assert documents.existing("a").version == 10
        assert documents.put("a", 11, n=2) is APPLIED

    def test_documents_are_returned_in_the_order_of_the_ids(self, documents: Documents) -> None:
        for position, identity in enumerate("abc"):
            documents.put(identity, position + 1, n=position)
        documents.remove("b", 5)
        stored = documents.cluster.get_many(documents.name, ["c", "never", "a", "b", "c"])
        assert [document and document.source["n"] for document in stored] == [2, None, 0, None, 2]

    def test_documents_are_read_before_a_refresh(self, backend: Backend) -> None:
        documents = Documents(backend, settings={"index": {"refresh_interval": "-1"}})
        for version in (1, 2, 3):
            documents.put("a", version, n=version)
            assert documents.existing("a").source == {"n": version}

    def test_every_document_is_counted_after_a_refresh(self, documents: Documents) -> None:
        for identity in "abc":
            documents.put(identity, 1)
        documents.remove("a", 2)
        documents.remove("never", 2)
        documents.cluster.refresh(documents.name)
        assert documents.cluster.count(documents.name) == 2

    def test_size_of_an_index_counts_its_documents(self, backend: Backend) -> None:
        tags = {"properties": {"tags": {"type": "nested"}}}
        documents = Documents(backend, mappings=tags)
        documents.put("a", 1, tags=[{"name": "one"}, {"name": "two"}])
        documents.cluster.refresh(documents.name)
        stats = documents.cluster.stats(documents.name)
        assert stats.documents == 1, "nested objects are not documents"
        assert stats.bytes is None if backend.name == "memory" else stats.bytes
        with pytest.raises(SearchError) as raised:
            documents.cluster.stats(backend.new_name())
        assert raised.value.not_found

    def test_every_document_is_listed_with_its_version(self, documents: Documents) -> None:
        """More documents than fit on one page."""
        expected = {f"item-{position:04}": position + 1 for position in range(1100)}
        writes = [Write(identity, b"{}", External(version)) for identity, version in expected.items()]
        writes.append(Write("removed", None, External(5)))
        assert set(documents.send(*writes)) == {APPLIED}
        documents.cluster.refresh(documents.name)
        listed = [entry for page in documents.cluster.versions(documents.name) for entry in page]
        assert len(listed) == len(expected)
        assert dict(listed) == expected

    def test_empty_index_lists_no_documents(self, documents: Documents) -> None:
        assert [entry for page in documents.cluster.versions(documents.name) for entry in page] == []


class TestIndexes:
    """Creation, description, lookup and aliases of indexes."""

    def test_index_is_created_with_both_aliases(self, backend: Backend) -> None:
        alias, clock = backend.new_name(), ManualClock()
        name, created = ensure_index(backend.cluster, alias, MAPPINGS, {}, clock)
        backend.made.append(name)
        assert created
        assert backend.cluster.indexes_behind(alias) == backend.cluster.indexes_behind(f"{alias}-sync") == [name]
        assert backend.cluster.exists(alias)
        assert ensure_index(backend.cluster, alias, MAPPINGS, {}, clock) == (name, False)
        backend.cluster.delete(name)
        assert not backend.cluster.exists(alias)
        assert backend.cluster.indexes_behind(alias) == []

    def test_existing_name_is_rejected(self, documents: Documents) -> None:
        with pytest.raises(SearchError, match="resource_already_exists") as caught:
            documents.cluster.create(documents.name, {})
        assert caught.value.status == 400

    def test_aliases_are_swapped_atomically(self, backend: Backend) -> None:
        old, new = sorted((backend.new_name(), backend.new_name()))
        alias = f"{old}-alias"
        backend.cluster.create(old, {"aliases": {alias: {}}})
        backend.cluster.create(new, {})
        swap = [{"remove": {"index": old, "alias": alias}}, {"add": {"index": new, "alias": alias}}]
        backend.cluster.update_aliases(swap)
        assert backend.cluster.indexes_behind(alias) == [new]
        backend.cluster.update_aliases([{"add": {"index": old, "alias": alias}}])
        assert backend.cluster.indexes_behind(alias) == [old, new]

    @pytest.mark.parametrize("verb", ["add", "remove"])
    def test_failing_alias_action_undoes_the_others(self, documents: Documents, verb: str) -> None:
        alias, name = f"{documents.name}-alias", documents.name
        with pytest.raises(SearchError, match="no such index") as caught:
            documents.cluster.update_aliases(
                [{"add": {"index": name, "alias": alias}}, {verb: {"index": "contract-none", "alias": alias}}]
            )
        assert caught.value.status == 404
        assert documents.cluster.indexes_behind(alias) == []

    def test_removing_a_missing_alias_raises_only_without_other_actions(self, documents: Documents) -> None:
        alias = f"{documents.name}-alias"
        remove = {"remove": {"index": documents.name, "alias": f"{documents.name}-none"}}
        with pytest.raises(SearchError, match="aliases_not_found") as caught:
            documents.cluster.update_aliases([remove])
        assert caught.value.status == 404
        documents.cluster.update_aliases([remove, {"add": {"index": documents.name, "alias": alias}}])
        assert documents.cluster.indexes_behind(alias) == [documents.name]

    def test_index_is_deleted_by_its_name_and_not_by_an_alias(self, documents: Documents) -> None:
        alias = f"{documents.name}-alias"
        documents.cluster.update_aliases([{"add": {"index": documents.name, "alias": alias}}])
        with pytest.raises(SearchError):
            documents.cluster.delete(alias)
        assert documents.cluster.exists(documents.name)
        documents.cluster.delete(documents.name)
        assert not documents.cluster.exists(documents.name)
        assert not documents.cluster.exists(alias)

    def test_missing_index_raises_not_found(self, backend: Backend) -> None:
        missing = backend.new_name()
        assert not backend.cluster.exists(missing)
        assert backend.cluster.indexes_behind(missing) == []
        for call in (backend.cluster.delete, backend.cluster.refresh, backend.cluster.count, backend.cluster.describe):
            with pytest.raises(SearchError, match="no such index") as caught:
                call(missing)
            assert caught.value.status == 404
        with pytest.raises(SearchError, match="no such index"):
            backend.cluster.get_many(missing, ["a"])

    @pytest.mark.parametrize("deleted", [False, True], ids=["never there", "deleted"])
    @pytest.mark.parametrize("body", [b"{}", None], ids=["write", "delete"])
    def test_write_to_a_missing_index_is_rejected_and_creates_none(
        self, backend: Backend, deleted: bool, body: bytes | None
    ) -> None:
        """Without ``require_alias`` OpenSearch would create an index with a guessed mapping and acknowledge it."""
        missing = backend.new_name()
        if deleted:
            backend.cluster.create(missing, {})
            backend.cluster.delete(missing)
        writes = Write("a", body, External(1)).encoded() + Write("b", None, External(1)).encoded()
        items = backend.cluster.bulk(missing, writes, HANG_SECONDS)
        assert [classify(item).outcome for item in items] == [Outcome.NO_INDEX] * 2
        assert not backend.cluster.exists(missing)

    def test_longest_index_name_leaves_room_for_every_suffix(self, backend: Backend) -> None:
        index = f"contract-{uuid.uuid4().hex}".ljust(MAX_INDEX, "x")
        assert declaration.checked_index_name(index) == index
        name, _ = ensure_index(backend.cluster, index, {}, {}, ManualClock())
        backend.made.append(name)
        assert backend.cluster.bulk(name, Write("a", b"{}", External(1)).encoded(), HANG_SECONDS)
        assert backend.cluster.get_many(name, ["a"]) != [None]
        with pytest.raises(DeclarationError, match=f"longer than {MAX_INDEX} characters"):
            declaration.checked_index_name(index + "x")

    def test_declaration_agrees_with_the_index_created_from_it(self, backend: Backend) -> None:
        """What the cluster omits, adds or spells differently is not a contradiction."""
        name = backend.new_name()
        backend.cluster.create(name, {**creation_body(name, DECLARED, SETTINGS), "aliases": {}})
        assert list(differences(DECLARED, SETTINGS, backend.cluster.describe(name))) == []

    def test_every_contradiction_with_the_index_is_reported(self, backend: Backend) -> None:
        name = backend.new_name()
        backend.cluster.create(name, {**creation_body(name, DECLARED, SETTINGS), "aliases": {}})
        other: dict[str, Any] = {
            "dynamic": "strict",
            "properties": {
                "title": {"type": "text", "fields": {"raw": {"type": "text"}}},
                "copied": {"type": "text", "copy_to": "title"},
                "factor": {"type": "scaled_float", "scaling_factor": 10},
                "long": {"type": "integer"},
                "more": {"type": "keyword"},
                "person": {"properties": {"name": {"type": "keyword"}}},
                "plain_norms": {"type": "text", "norms": False},
            },
        }
        settings = {"analysis": {"analyzer": {"words": {"filter": ["asciifolding", "lowercase"]}}}}
        contradictions = list(differences(other, settings, backend.cluster.describe(name)))
        assert [line.split()[1] for line in contradictions] == [
            "title.raw",
            "copied",
            "factor",
            "long",
            "more",
            "person.name",
            "plain_norms",
            "is",
            "analysis.analyzer.words.filter",
        ]

    def test_number_of_processors_is_positive_or_unknown(self, backend: Backend) -> None:
        processors = backend.cluster.processors("songs")
        assert processors is None or processors >= 1

    def test_tombstones_live_for_the_declared_time(self, backend: Backend) -> None:
        name = backend.new_name()
        backend.cluster.create(name, {**creation_body(name, {}, {}), "aliases": {}})
        assert backend.cluster.describe(name)["settings"]["index"]["gc_deletes"] == "15m"


SETTINGS: dict[str, Any] = {
    "number_of_shards": 1,
    "analysis": {
        "analyzer": {"words": {"type": "custom", "tokenizer": "standard", "filter": ["lowercase", "asciifolding"]}},
        "filter": {"grams": {"type": "edge_ngram", "min_gram": 1, "max_gram": 3, "preserve_original": True}},
        "normalizer": {"caseless": {"type": "custom", "filter": ["lowercase"]}},
    },
}
DECLARED: dict[str, Any] = {
    "dynamic": False,
    "properties": {
        "title": {
            "type": "text",
            "analyzer": "words",
            "fields": {"raw": {"type": "keyword", "ignore_above": 256, "normalizer": "caseless"}},
        },
        "all": {"type": "text"},
        "copied": {"type": "text", "copy_to": "all"},
        "copied_twice": {"type": "text", "copy_to": ["all", "title"]},
        "plain_norms": {"type": "text", "norms": True},
        "no_norms": {"type": "text", "norms": False},
        "keyword_norms": {"type": "keyword", "norms": True},
        "no_keyword_norms": {"type": "keyword", "norms": False},
        "searched_alike": {"type": "text", "analyzer": "english", "search_analyzer": "english"},
        "searched_otherwise": {"type": "text", "analyzer": "english", "search_analyzer": "standard"},
        "positions": {"type": "text", "index_options": "positions"},
        "offsets": {"type": "text", "index_options": "offsets"},
        "docs": {"type": "keyword", "index_options": "docs"},
        "term_vector": {"type": "text", "term_vector": "no"},
        "fielddata": {"type": "text", "fielddata": False},
        "phrases": {"type": "text", "index_phrases": False},
        "prefixes": {"type": "text", "index_prefixes": {"min_chars": 1, "max_chars": 10}},
        "some_prefixes": {"type": "text", "index_prefixes": {"min_chars": 3}},
        "not_stored": {"type": "text", "store": False},
        "stored": {"type": "text", "store": True},
        "indexed": {"type": "text", "index": True},
        "not_indexed": {"type": "text", "index": False},
        "ordinals": {"type": "keyword", "eager_global_ordinals": False},
        "longest": {"type": "keyword", "ignore_above": 2147483647},
        "doc_values": {"type": "keyword", "doc_values": True},
        "no_doc_values": {"type": "keyword", "doc_values": "false"},
        "split": {"type": "keyword", "split_queries_on_whitespace": False},
        "null_keyword": {"type": "keyword", "null_value": "none"},
        "long": {"type": "long", "coerce": True, "ignore_malformed": False},
        "lenient": {"type": "long", "coerce": False, "ignore_malformed": True},
        "null_long": {"type": "long", "null_value": 0},
        "null_double": {"type": "double", "null_value": 1},
        "null_text": {"type": "integer", "null_value": "5"},
        "null_boolean": {"type": "boolean", "null_value": False},
        "factor": {"type": "scaled_float", "scaling_factor": 100},
        "date": {"type": "date", "format": "strict_date_optional_time||epoch_millis"},
        "seconds": {"type": "date", "format": "epoch_second"},
        "binary": {"type": "binary", "doc_values": False},
        "address": {"type": "ip"},
        "place": {"type": "geo_point"},
        "as_you_type": {"type": "search_as_you_type", "max_shingle_size": 3},
        "object": {"type": "object", "properties": {}},
        "closed": {"type": "object", "enabled": False},
        "strict": {"type": "object", "dynamic": "strict"},
        "person": {"properties": {"name": {"type": "text"}}},
        "persons": {"type": "nested", "include_in_parent": False, "properties": {"name": {"type": "keyword"}}},
    },
}


class TestKnownDifferences:
    """Each difference is asserted where it is listed, and its absence elsewhere, so that a wrong list fails."""

    def test_count_before_a_refresh(self, backend: Backend) -> None:
        documents = Documents(backend, settings={"index": {"refresh_interval": "-1"}})
        documents.put("a", 1)
        visible = bool(backend.cluster.count(documents.name))
        documents.cluster.refresh(documents.name)
        assert backend.cluster.count(documents.name) == 1
        assert visible is backend.differs(VISIBLE_AT_ONCE)

    def test_value_that_a_boolean_field_cannot_hold(self, documents: Documents, backend: Backend) -> None:
        accepted = documents.put("a", 1, b="perhaps") is APPLIED
        assert accepted is backend.differs(ONLY_COMMON_REJECTIONS)

    def test_description_of_a_default(self, backend: Backend) -> None:
        documents = Documents(backend, mappings={"properties": {"title": {"type": "text", "norms": True}}})
        described = backend.cluster.describe(documents.name)
        verbatim = "norms" in described["mappings"]["properties"]["title"]
        assert verbatim is ("uuid" not in described["settings"].get("index", {}))
        assert verbatim is backend.differs(DESCRIBES_THE_DECLARATION)
