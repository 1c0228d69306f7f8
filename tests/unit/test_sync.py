"""Sync and load_sync: references, files of mappings and settings, and documents built without raising."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from dynadex import DynadexError, Sync
from dynadex.document.body import NOT_INDEXED
from dynadex.errors import DeclarationError
from dynadex.sync import load_sync

ITEM = {"id": {"S": "rakes"}, "bpm": {"N": "120.50"}}
MODULES = {
    "declared": """
        from dynadex import Sync
        class Holder:
            inner = Sync(table="songs", index="inner")
        sync = Sync(table="songs", index="songs")
        title = "words"
        """,
    "empty": "",
    "needy": "import a_module_that_is_missing",
    "broken": "raise RuntimeError('at import')",
    "wrong": "from dynadex import Sync\nsync = Sync(table='x', index='songs')",
    "package/__init__": "",
    "package/inside": "from dynadex import Sync\nsync = Sync(table='songs', index='inside')",
}


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of modules to declare in, as the current one; its modules do not stay imported."""
    for name, source in MODULES.items():
        path = tmp_path / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(line.removeprefix(" " * 8) for line in source.splitlines()))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in {path.partition("/")[0] for path in MODULES}:
            del sys.modules[name]


@pytest.mark.parametrize(
    ("reference", "index"),
    [("declared:sync", "songs"), ("declared:Holder.inner", "inner"), ("package.inside:sync", "inside")],
)
@pytest.mark.usefixtures("modules")
def test_sync_is_loaded_from_its_reference(reference: str, index: str) -> None:
    assert load_sync(reference).index == index


@pytest.mark.parametrize(
    ("reference", "reason", "hint"),
    [
        ("declared", "not of the form module:attribute", "lessons:sync"),
        ("declared:", "not of the form module:attribute", "lessons:sync"),
        (":sync", "not of the form module:attribute", "lessons:sync"),
        ("declared:sync:more", "not of the form module:attribute", "lessons:sync"),
        ("declared.py:sync", "no module 'declared.py'", "folder that holds it"),
        (".declared:sync", "not of the form module:attribute", "lessons:sync"),
        ("..:sync", "not of the form module:attribute", "lessons:sync"),
        ("./declared:sync", "not of the form module:attribute", "lessons:sync"),
        ("nowhere:sync", "no module 'nowhere'", "folder that holds it"),
        ("package.nowhere:sync", "no module 'package.nowhere'", "folder that holds it"),
        ("nowhere.inside:sync", "no module 'nowhere'", "folder that holds it"),
        ("needy:sync", "importing it needs 'a_module_that_is_missing'", "Install it"),
        ("declared:snyc", "declared has no 'snyc'", "It declares sync."),
        ("declared:Holder.outer", "declared has no 'Holder.outer'", "It declares sync."),
        ("declared:title.inner", "declared has no 'title.inner'", "It declares sync."),
        ("empty:sync", "empty has no 'sync'", "It declares no Sync."),
        ("declared:title", "it is a str, not a dynadex.Sync", ""),
        ("declared:Sync", "it is a type, not a dynadex.Sync", ""),
        ("wrong:sync", "not a valid table name", "3 to 255"),
    ],
)
@pytest.mark.usefixtures("modules")
def test_error_names_the_wrong_half_of_a_reference(reference: str, reason: str, hint: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        load_sync(reference)
    assert reason in caught.value.reason
    assert hint in caught.value.hint


@pytest.mark.usefixtures("modules")
def test_error_of_the_users_module_is_reported_and_chained() -> None:
    with pytest.raises(
        DeclarationError, match=r"importing broken raised RuntimeError: at import \(line 1 of "
    ) as caught:
        load_sync("broken:sync")
    assert isinstance(caught.value.__cause__, RuntimeError)


def sync(document: Any = None, **arguments: Any) -> Sync:
    return Sync(table="songs", index="songs", document=document, **arguments)


def test_without_a_document_function_the_document_is_the_item() -> None:
    built = sync().build(ITEM)
    assert built.body == b'{"id":"rakes","bpm":120.50}'
    assert built.problem == ""


def test_document_function_receives_plain_values() -> None:
    seen: list[Any] = []

    def document(item: dict[str, Any]) -> Mapping[str, Any]:
        seen.append(dict(item))
        item["changed"] = True
        return MappingProxyType({"name": item["id"]})

    assert sync(document).build(ITEM).body == b'{"name":"rakes"}'
    assert sync(document).build(ITEM).body == b'{"name":"rakes"}'
    assert seen == [{"id": "rakes", "bpm": Decimal("120.50")}] * 2


def test_missing_item_and_missing_document_are_not_indexed() -> None:
    assert sync().build(None) is NOT_INDEXED
    assert sync(lambda _: None).build(ITEM) is NOT_INDEXED


def raising(error: BaseException) -> Any:
    def document(item: dict[str, Any]) -> Any:  # noqa: ARG001
        raise error

    return document


def endless(item: Any) -> Any:
    return endless(item)


@pytest.mark.parametrize(
    ("document", "item", "problem"),
    [
        (raising(KeyError("title")), ITEM, "KeyError: 'title'"),
        (raising(ValueError("no song")), ITEM, "ValueError: no song"),
        (raising(DynadexError("a", "b", "c")), ITEM, "DynadexError: Cannot a b: c."),
        (raising(AssertionError()), ITEM, "AssertionError: "),
        (endless, ITEM, "RecursionError: "),
        (lambda item: [item], ITEM, "the document function returned list, not a dict"),
        (lambda _: "text", ITEM, "the document function returned str, not a dict"),
        (lambda _: False, ITEM, "the document function returned bool, not a dict"),
        (lambda _: {"when": {1, 2}}, ITEM, "ValueError: the document has no JSON form: set"),
        (lambda _: {"text": "\ud800"}, ITEM, "ValueError: the document has no JSON form"),
        (lambda item: item["missing"], ITEM, "KeyError: 'missing'"),
        (None, {"id": {"X": "?"}}, "ValueError: attribute 'id' is not DynamoDB typed JSON"),
        (None, {"id": {"N": "abc"}}, "ValueError: attribute 'id'"),
        (None, {"id": None}, "ValueError: attribute 'id'"),
    ],
)
def test_build_returns_a_problem_instead_of_raising(document: Any, item: Any, problem: str) -> None:
    built = sync(document).build(item)
    assert built.problem.startswith(problem)
    assert built.body is None


def test_keyboard_interrupt_is_not_a_problem_of_the_item() -> None:
    with pytest.raises(KeyboardInterrupt):
        sync(raising(KeyboardInterrupt())).build(ITEM)


@pytest.mark.parametrize("as_path", [Path, str])
def test_mappings_and_settings_are_read_from_json_files(tmp_path: Path, as_path: Any) -> None:
    mappings, settings = {"properties": {"title": {"type": "text"}}}, {"index": {"number_of_shards": 1}}
    (tmp_path / "mappings.json").write_text(json.dumps(mappings))
    (tmp_path / "settings.json").write_text(json.dumps(settings))
    declared = sync(mappings=as_path(tmp_path / "mappings.json"), settings=as_path(tmp_path / "settings.json"))
    assert declared.mappings == mappings
    assert declared.settings == {"number_of_shards": 1}


@pytest.mark.parametrize(
    ("content", "reason", "hint"),
    [
        (None, "No such file or directory", "with_name"),
        (b"{", "is not JSON", ""),
        (b"\xff\xfe", "is not JSON", ""),
        (b"[]", "does not contain a JSON object", "path of a JSON file"),
        (b'"text"', "does not contain a JSON object", "path of a JSON file"),
    ],
)
@pytest.mark.parametrize("what", ["mappings", "settings"])
def test_error_names_the_unusable_file(
    tmp_path: Path, what: str, content: bytes | None, reason: str, hint: str
) -> None:
    path = tmp_path / "declared.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DeclarationError) as caught:
        sync(**{what: path})
    assert caught.value.operation == f"read the {what} of"
    assert str(path) in caught.value.reason
    assert reason in caught.value.reason
    assert hint in caught.value.hint
