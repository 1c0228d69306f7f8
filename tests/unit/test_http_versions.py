"""Optimistic concurrency over HTTP: no write replaces a version that its client has not read."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from dynadex import Search, Sync
from dynadex.document.identity import KeySchema
from dynadex.errors import DeclarationError
from dynadex.http.app import HttpOptions, create_app
from dynadex.source.table import Table
from dynadex.testing import InMemoryTable
from tests.unit.service import AUTH, WRITER, Client, ScriptedIndex, error_of, path_of

SYNC = Sync(
    table="lessons",
    index="lessons",
    mappings={"properties": {"title": {"type": "text"}, "version": {"type": "integer"}}},
    search=Search(fields={"title": 1}, version="version"),
)
NEW = {"If-None-Match": "*"}


def match(version: int) -> dict[str, str]:
    return {"If-Match": f'"{version}"'}


@pytest.fixture
def memory() -> InMemoryTable:
    return InMemoryTable("lessons")


@pytest.fixture
def client(memory: InMemoryTable) -> Client:
    return client_of(Table(memory, "lessons"))  # type: ignore[arg-type]


def client_of(table: Any) -> Client:
    return Client(create_app(SYNC, ScriptedIndex(), table, KeySchema(("id",), ("S",)), HttpOptions(auth=AUTH)), WRITER)


def item(title: str, version: int | None = None) -> dict[str, Any]:
    return {
        "id": {"S": "x"},
        "title": {"S": title},
        **({"version": {"N": str(version)}} if version is not None else {}),
    }


def test_each_write_increments_the_version(client: Client, memory: InMemoryTable) -> None:
    first = client.put(path_of("x"), json={"title": "1"}, headers=NEW)
    assert first.json()["item"] == {"id": "x", "title": "1", "version": 1}
    assert (first.json()["version"], first.headers["etag"]) == (1, '"1"')
    read = client.get(path_of("x"))
    assert (read.headers["etag"], read.headers["cache-control"]) == ('"1"', "no-cache")
    second = client.put(path_of("x"), json=read.json() | {"title": "2"}, headers={"If-Match": read.headers["etag"]})
    assert (second.json()["version"], second.headers["etag"]) == (2, '"2"')
    assert memory.items()["x"] == item("2", 2)


def test_write_without_a_precondition_is_rejected(client: Client, memory: InMemoryTable) -> None:
    assert error_of(client.put(path_of("x"), json={"title": "1"})) == (428, "condition_required")
    assert memory.items() == {}


def test_conflicting_write_returns_both_items(client: Client, memory: InMemoryTable) -> None:
    memory.put(item("theirs", 2))
    answer = client.put(path_of("x"), json={"title": "mine", "version": 1}, headers=match(1))
    assert error_of(answer) == (412, "version_conflict")
    assert answer.json()["error"]["yours"] == {"id": "x", "title": "mine", "version": 1}
    assert answer.json()["error"]["current"] == {"id": "x", "title": "theirs", "version": 2}
    assert memory.items()["x"] == item("theirs", 2)


def test_changing_a_deleted_item_and_creating_an_existing_item_are_conflicts(
    client: Client, memory: InMemoryTable
) -> None:
    gone = client.put(path_of("x"), json={"title": "mine"}, headers=match(1))
    assert (error_of(gone), gone.json()["error"]["current"]) == ((412, "version_conflict"), None)
    memory.put(item("theirs", 1))
    taken = client.put(path_of("x"), json={"title": "mine"}, headers=NEW)
    assert error_of(taken) == (412, "version_conflict")
    assert taken.json()["error"]["current"]["title"] == "theirs"


@pytest.mark.parametrize("there", [None, 0])
def test_item_without_a_version_has_version_zero(client: Client, memory: InMemoryTable, there: int | None) -> None:
    memory.put(item("old", there))
    assert client.get(path_of("x")).headers["etag"] == '"0"'
    assert error_of(client.put(path_of("x"), json={"title": "1"}, headers=match(1)))[0] == 412
    assert client.put(path_of("x"), json={"title": "1"}, headers=match(0)).json()["version"] == 1
    assert error_of(client.put(path_of("x"), json={"title": "2"}, headers=match(0)))[0] == 412


@pytest.mark.parametrize("odd", [{"S": "1"}, {"N": "1.5"}, {"N": "-1"}, {"N": "1e20"}, {"BOOL": True}, {"NULL": True}])
def test_invalid_version_attribute_matches_no_precondition(
    client: Client, memory: InMemoryTable, odd: dict[str, Any]
) -> None:
    memory.put(item("old") | {"version": odd})
    assert "etag" not in client.get(path_of("x")).headers
    for version in (0, 1):
        assert error_of(client.put(path_of("x"), json={}, headers=match(version))) == (412, "version_conflict")
    assert client.delete(path_of("x")).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"If-Match": "*"},
        {"If-Match": "1"},
        {"If-Match": 'W/"1"'},
        {"If-Match": '"01"'},
        {"If-Match": '"1", "2"'},
        {"If-Match": '"-1"'},
        {"If-Match": '"1.5"'},
        {"If-Match": '"' + "9" * 16 + '"'},
        {"If-Match": ""},
        {"If-None-Match": '"1"'},
        {"If-Match": '"1"', "If-None-Match": "*"},
    ],
)
def test_invalid_precondition_is_rejected(client: Client, memory: InMemoryTable, headers: dict[str, str]) -> None:
    memory.put(item("there", 1))
    assert error_of(client.put(path_of("x"), json={}, headers=headers)) == (400, "bad_condition")
    assert error_of(client.delete(path_of("x"), headers=headers)) == (400, "bad_condition")
    assert memory.items()["x"] == item("there", 1)


def test_second_of_two_identical_writes_is_a_conflict(client: Client, memory: InMemoryTable) -> None:
    """Two clients that each add one to a number send the same item, but only one of them has added anything."""
    memory.put(item("4 plays", 1))
    first, second = (client.put(path_of("x"), json={"title": "5 plays"}, headers=match(1)) for _ in range(2))
    assert first.status_code == 200
    assert error_of(second) == (412, "version_conflict")
    # This shows a client that an earlier attempt, whose response was lost, succeeded.
    assert second.json()["error"]["current"] == first.json()["item"]


def test_change_between_read_and_write_is_detected_by_the_table(memory: InMemoryTable) -> None:
    class Overtaken(Table):
        def put(self, item_: Any, condition: Any = None) -> None:
            memory.put(item("theirs", 2))
            super().put(item_, condition)

    memory.put(item("old", 1))
    client = client_of(Overtaken(memory, "lessons"))  # type: ignore[arg-type]
    answer = client.put(path_of("x"), json={"title": "mine"}, headers=match(1))
    assert error_of(answer) == (412, "version_conflict")
    assert answer.json()["error"]["current"]["title"] == "theirs"


def test_one_of_many_concurrent_writes_to_a_version_succeeds(client: Client, memory: InMemoryTable) -> None:
    memory.put(item("old", 1))
    with ThreadPoolExecutor(8) as threads:
        answers = list(
            threads.map(lambda _: client.put(path_of("x"), json={"title": "new"}, headers=match(1)), range(8))
        )
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 7
    assert memory.items()["x"]["version"] == {"N": "2"}


def test_restored_item_continues_its_version(client: Client) -> None:
    for version in range(3):
        client.put(path_of("x"), json={"title": f"{version}"}, headers=match(version) if version else NEW)
    was = client.get(path_of("x")).json()
    assert client.delete(path_of("x"), headers=match(3)).status_code == 200
    assert client.put(path_of("x"), json=was, headers=NEW).json()["version"] == 4
    assert error_of(client.put(path_of("x"), json={"title": "late"}, headers=match(3)))[0] == 412


def test_version_beyond_exact_json_numbers_is_rejected(client: Client, memory: InMemoryTable) -> None:
    memory.put(item("old", 10**15 - 1))
    answer = client.put(path_of("x"), json={}, headers=match(10**15 - 1))
    assert error_of(answer) == (422, "invalid_item")
    assert answer.json()["error"]["fields"][0]["name"] == "version"


def test_delete_accepts_an_optional_precondition(client: Client, memory: InMemoryTable) -> None:
    memory.put(item("there", 2))
    rejected = client.delete(path_of("x"), headers=match(1))
    assert error_of(rejected) == (412, "version_conflict")
    assert (rejected.json()["error"]["yours"], rejected.json()["error"]["current"]["title"]) == (None, "there")
    assert client.delete(path_of("x"), headers=match(2)).json().keys() == {"change"}
    for headers in ({}, match(2)):
        assert error_of(client.delete(path_of("x"), headers=headers)) == (404, "not_found")


@pytest.mark.parametrize(
    ("known", "status"), [('"2"', 304), ('W/"2"', 304), ('"1", "2"', 304), ('"1"', 200), ("*", 304), ("", 200)]
)
def test_read_of_a_cached_version_returns_304(client: Client, memory: InMemoryTable, known: str, status: int) -> None:
    memory.put(item("there", 2))
    answer = client.get(path_of("x"), headers={"If-None-Match": known})
    assert (answer.status_code, answer.headers["etag"]) == (status, '"2"')
    assert bool(answer.content) is (status == 200)


def test_version_attribute_in_the_key_is_rejected(memory: InMemoryTable) -> None:
    table: Any = Table(memory, "lessons")  # type: ignore[arg-type]
    with pytest.raises(DeclarationError, match=r"'version' is part of the table's key\. Declare another"):
        create_app(SYNC, ScriptedIndex(), table, KeySchema(("id", "version"), ("S", "N")))
