"""Optimistic concurrency over HTTP: nobody overwrites a change that they have not seen."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from dynadex import Search, Sync
from dynadex.document.identity import KeySchema
from dynadex.errors import DeclarationError
from dynadex.http.app import create_app
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
    return Client(create_app(SYNC, ScriptedIndex(), table, KeySchema(("id",), ("S",)), auth=AUTH), WRITER)


def item(title: str, version: int | None = None) -> dict[str, Any]:
    return {
        "id": {"S": "x"},
        "title": {"S": title},
        **({"version": {"N": str(version)}} if version is not None else {}),
    }


def test_each_write_counts_the_version_up(client: Client, memory: InMemoryTable) -> None:
    first = client.put(path_of("x"), json={"title": "1"}, headers=NEW)
    assert first.json()["item"] == {"id": "x", "title": "1", "version": 1}
    assert (first.json()["version"], first.headers["etag"]) == (1, '"1"')
    read = client.get(path_of("x"))
    assert (read.headers["etag"], read.headers["cache-control"]) == ('"1"', "no-cache")
    second = client.put(path_of("x"), json=read.json() | {"title": "2"}, headers={"If-Match": read.headers["etag"]})
    assert (second.json()["version"], second.headers["etag"]) == (2, '"2"')
    assert memory.items()["x"] == item("2", 2)


def test_a_write_that_does_not_say_what_it_replaces_is_not_made(client: Client, memory: InMemoryTable) -> None:
    assert error_of(client.put(path_of("x"), json={"title": "1"})) == (428, "condition_required")
    assert memory.items() == {}


def test_a_write_over_a_change_not_seen_answers_with_both(client: Client, memory: InMemoryTable) -> None:
    memory.put(item("theirs", 2))
    answer = client.put(path_of("x"), json={"title": "mine", "version": 1}, headers=match(1))
    assert error_of(answer) == (412, "version_conflict")
    assert answer.json()["error"]["yours"] == {"id": "x", "title": "mine", "version": 1}
    assert answer.json()["error"]["current"] == {"id": "x", "title": "theirs", "version": 2}
    assert memory.items()["x"] == item("theirs", 2)


def test_a_change_of_what_is_gone_and_a_new_item_that_is_there_are_conflicts(
    client: Client, memory: InMemoryTable
) -> None:
    gone = client.put(path_of("x"), json={"title": "mine"}, headers=match(1))
    assert (error_of(gone), gone.json()["error"]["current"]) == ((412, "version_conflict"), None)
    memory.put(item("theirs", 1))
    taken = client.put(path_of("x"), json={"title": "mine"}, headers=NEW)
    assert error_of(taken) == (412, "version_conflict")
    assert taken.json()["error"]["current"]["title"] == "theirs"


@pytest.mark.parametrize("there", [None, 0])
def test_an_item_without_a_version_has_version_nought(client: Client, memory: InMemoryTable, there: int | None) -> None:
    memory.put(item("old", there))
    assert client.get(path_of("x")).headers["etag"] == '"0"'
    assert error_of(client.put(path_of("x"), json={"title": "1"}, headers=match(1)))[0] == 412
    assert client.put(path_of("x"), json={"title": "1"}, headers=match(0)).json()["version"] == 1
    assert error_of(client.put(path_of("x"), json={"title": "2"}, headers=match(0)))[0] == 412


@pytest.mark.parametrize("odd", [{"S": "1"}, {"N": "1.5"}, {"N": "-1"}, {"N": "1e20"}, {"BOOL": True}, {"NULL": True}])
def test_what_is_no_version_is_matched_by_none(client: Client, memory: InMemoryTable, odd: dict[str, Any]) -> None:
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
def test_a_condition_that_cannot_be_kept_is_refused(
    client: Client, memory: InMemoryTable, headers: dict[str, str]
) -> None:
    memory.put(item("there", 1))
    assert error_of(client.put(path_of("x"), json={}, headers=headers)) == (400, "bad_condition")
    assert error_of(client.delete(path_of("x"), headers=headers)) == (400, "bad_condition")
    assert memory.items()["x"] == item("there", 1)


def test_who_says_the_same_as_somebody_faster_is_told_so_too(client: Client, memory: InMemoryTable) -> None:
    """Two who each add one to a number send the same item; only one of them has added anything."""
    memory.put(item("4 plays", 1))
    first, second = (client.put(path_of("x"), json={"title": "5 plays"}, headers=match(1)) for _ in range(2))
    assert first.status_code == 200
    assert error_of(second) == (412, "version_conflict")
    # Enough to see that a first try, whose answer was lost, has worked.
    assert second.json()["error"]["current"] == first.json()["item"]


def test_a_change_between_the_look_and_the_write_is_seen_by_the_table(memory: InMemoryTable) -> None:
    class Overtaken(Table):
        def put(self, item_: Any, condition: Any = None) -> None:
            memory.put(item("theirs", 2))
            super().put(item_, condition)

    memory.put(item("old", 1))
    client = client_of(Overtaken(memory, "lessons"))  # type: ignore[arg-type]
    answer = client.put(path_of("x"), json={"title": "mine"}, headers=match(1))
    assert error_of(answer) == (412, "version_conflict")
    assert answer.json()["error"]["current"]["title"] == "theirs"


def test_of_many_that_change_one_version_at_once_one_succeeds(client: Client, memory: InMemoryTable) -> None:
    memory.put(item("old", 1))
    with ThreadPoolExecutor(8) as threads:
        answers = list(
            threads.map(lambda _: client.put(path_of("x"), json={"title": "new"}, headers=match(1)), range(8))
        )
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 7
    assert memory.items()["x"]["version"] == {"N": "2"}


def test_an_item_put_back_goes_on_counting(client: Client) -> None:
    for version in range(3):
        client.put(path_of("x"), json={"title": f"{version}"}, headers=match(version) if version else NEW)
    was = client.get(path_of("x")).json()
    assert client.delete(path_of("x"), headers=match(3)).status_code == 200
    assert client.put(path_of("x"), json=was, headers=NEW).json()["version"] == 4
    assert error_of(client.put(path_of("x"), json={"title": "late"}, headers=match(3)))[0] == 412


def test_no_version_is_higher_than_json_can_tell(client: Client, memory: InMemoryTable) -> None:
    memory.put(item("old", 10**15 - 1))
    answer = client.put(path_of("x"), json={}, headers=match(10**15 - 1))
    assert error_of(answer) == (422, "invalid_item")
    assert answer.json()["error"]["fields"][0]["name"] == "version"


def test_a_delete_may_say_what_it_deletes(client: Client, memory: InMemoryTable) -> None:
    memory.put(item("there", 2))
    refused = client.delete(path_of("x"), headers=match(1))
    assert error_of(refused) == (412, "version_conflict")
    assert (refused.json()["error"]["yours"], refused.json()["error"]["current"]["title"]) == (None, "there")
    assert client.delete(path_of("x"), headers=match(2)).json().keys() == {"change"}
    for headers in ({}, match(2)):
        assert error_of(client.delete(path_of("x"), headers=headers)) == (404, "not_found")


@pytest.mark.parametrize(
    ("known", "status"), [('"2"', 304), ('W/"2"', 304), ('"1", "2"', 304), ('"1"', 200), ("*", 304), ("", 200)]
)
def test_who_has_the_item_already_is_told_so(client: Client, memory: InMemoryTable, known: str, status: int) -> None:
    memory.put(item("there", 2))
    answer = client.get(path_of("x"), headers={"If-None-Match": known})
    assert (answer.status_code, answer.headers["etag"]) == (status, '"2"')
    assert bool(answer.content) is (status == 200)


def test_a_version_is_no_part_of_the_key(memory: InMemoryTable) -> None:
    table: Any = Table(memory, "lessons")  # type: ignore[arg-type]
    with pytest.raises(DeclarationError, match=r"'version', which is part of the table's key\. Declare another"):
        create_app(SYNC, ScriptedIndex(), table, KeySchema(("id", "version"), ("S", "N")))
