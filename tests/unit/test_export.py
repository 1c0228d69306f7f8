"""Exports: located, read page by page, and rejected with a reason if they are unusable."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynadex import Sync
from dynadex.document.identity import KeySchema, document_id
from dynadex.document.typed_json import plain
from dynadex.errors import SourceError
from dynadex.source.export import Export
from tests.process.export_writer import write_export

AT_US = 1_795_499_100_123_000
ITEMS: list[dict[str, Any]] = [{"id": {"S": f"tune-{n}"}, "n": {"N": str(n)}} for n in range(10)]


def opened(where: Path | str) -> Export:
    def no_bucket() -> Any:
        raise AssertionError("the export is not in a bucket")

    return Export.open(str(where), no_bucket)


def read(export: Export, segment: int = 0, total: int = 1, limit: int | None = None) -> list[list[str]]:
    """The ids on each page; each position is passed as JSON to a new reader."""
    pages: list[list[str]] = []
    position: Any = None
    while True:
        with closing(export.pages(segment, total)) as source:
            page = source.page(position, limit)
        assert page.requested_at_us == AT_US
        pages.append([item["id"]["S"] for item in page.items])
        position = json.loads(json.dumps(page.last_evaluated_key))
        if position is None:
            return pages


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_export(tmp_path, "tunes", ITEMS, AT_US)


def test_export_has_its_table_time_and_files(folder: Path) -> None:
    export = opened(folder)
    assert (export.table, export.export_time_us, export.item_count) == ("tunes", AT_US, 10)
    assert export.name == f"{folder} of 2026-11-24T05:45:00.123+00:00"
    assert [data_file.items for data_file in export.data_files] == [4, 3, 3]


@pytest.mark.parametrize("limit", [None, 1, 2, 3, 4, 5, 100])
def test_every_item_is_read_once_at_any_page_size(folder: Path, limit: int | None) -> None:
    pages = read(opened(folder), limit=limit)
    assert sorted(identity for page in pages for identity in page) == sorted(item["id"]["S"] for item in ITEMS)
    assert all(len(page) <= (limit or 1000) for page in pages)


@pytest.mark.parametrize("total", [1, 2, 3, 5])
def test_segments_divide_the_files(folder: Path, total: int) -> None:
    ids = [identity for segment in range(total) for page in read(opened(folder), segment, total) for identity in page]
    assert sorted(ids) == sorted(item["id"]["S"] for item in ITEMS)


def test_consecutive_pages_open_each_file_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    export = opened(folder)
    opens: list[str] = []
    lines = type(export.files).lines

    def counted(self: Any, name: str) -> Any:
        opens.append(name)
        return lines(self, name)

    monkeypatch.setattr(type(export.files), "lines", counted)
    pages = export.pages()
    position: Any = None
    while True:
        position = pages.page(position, 1).last_evaluated_key
        if position is None:
            break
    assert len(opens) == 3


def test_page_can_be_read_again(folder: Path) -> None:
    with closing(opened(folder).pages()) as pages:
        first = pages.page(None, 3)
        second = pages.page(first.last_evaluated_key, 3)
        assert pages.page(first.last_evaluated_key, 3) == second
        assert pages.page(None, 3) == first


def test_export_below_the_folder_is_located(tmp_path: Path, folder: Path) -> None:
    assert opened(tmp_path).files.where == str(folder)
    write_export(tmp_path / "more", "tunes", ITEMS, AT_US)
    with pytest.raises(SourceError, match=r"it contains 2 exports.*Pass one of them: .*AWSDynamoDB"):
        opened(tmp_path)


def test_export_of_an_empty_table_is_empty(tmp_path: Path) -> None:
    assert read(opened(write_export(tmp_path, "tunes", [], AT_US, files=1))) == [[]]
    assert read(opened(write_export(tmp_path / "no-files", "tunes", [], AT_US, files=0))) == [[]]


def test_exported_values_equal_scanned_values(tmp_path: Path) -> None:
    scanned: dict[str, Any] = {
        "pk": {"B": b"\x00\xff|"},
        "sk": {"N": "1.50"},
        "exact": {"N": "12345678901234567890.123456789"},
        "sets": {"BS": [b"b", b"\xfe"]},
        "more": {"M": {"a": {"L": [{"B": b"deep"}, {"NULL": True}, {"SS": ["b", "a"]}]}}},
    }
    [exported] = opened(write_export(tmp_path, "tunes", [scanned], AT_US, files=1)).pages().page(None).items
    schema = KeySchema(("pk", "sk"), ("B", "N"))
    assert plain(exported) == plain(scanned)
    assert document_id(schema, schema.key_of(exported)) == document_id(schema, schema.key_of(scanned))
    sync = Sync(table="tunes", index="tunes")
    assert sync.build(exported) == sync.build(scanned)


_NUMBERS = st.decimals(allow_nan=False, allow_infinity=False, places=4).map(lambda number: {"N": str(number)})
_BINARIES = st.binary(max_size=20)
_SCALARS = st.one_of(
    st.text(max_size=20).map(lambda text: {"S": text}),
    _NUMBERS,
    _BINARIES.map(lambda content: {"B": content}),
    st.booleans().map(lambda yes: {"BOOL": yes}),
    st.just({"NULL": True}),
    st.sets(_BINARIES, min_size=1, max_size=3).map(lambda contents: {"BS": list(contents)}),
    st.sets(st.text(max_size=5), min_size=1, max_size=3).map(lambda texts: {"SS": list(texts)}),
)
_VALUES: st.SearchStrategy[dict[str, Any]] = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda values: {"L": values}),
        st.dictionaries(st.text(max_size=5), inner, max_size=3).map(lambda values: {"M": values}),
    ),
    max_leaves=6,
)


@given(st.fixed_dictionaries({"pk": _BINARIES.map(lambda content: {"B": content}), "sk": _NUMBERS, "more": _VALUES}))
@settings(max_examples=60, deadline=None)
def test_any_exported_item_equals_the_scanned_item(scanned: dict[str, Any]) -> None:
    with TemporaryDirectory() as folder:
        [exported] = opened(write_export(Path(folder), "tunes", [scanned], AT_US, files=1)).pages().page(None).items
    schema = KeySchema(("pk", "sk"), ("B", "N"))
    assert plain(exported) == plain(scanned)
    assert document_id(schema, schema.key_of(exported)) == document_id(schema, schema.key_of(scanned))
    sync = Sync(table="tunes", index="tunes")
    assert sync.build(exported) == sync.build(scanned)


def test_pages_of_large_items_are_short(tmp_path: Path) -> None:
    """A page of a scan has 1 MB; 1,000 items of 400 KB would be 400 MB for each segment."""
    large = [{"id": {"S": f"tune-{n}"}, "text": {"S": "x" * 400_000}} for n in range(30)]
    pages = read(opened(write_export(tmp_path, "tunes", large, AT_US, files=2)))
    assert sorted(identity for page in pages for identity in page) == sorted(item["id"]["S"] for item in large)
    assert 1 < max(len(page) for page in pages) <= 11


def _change_summary(**changes: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "manifest-summary.json"
        summary = {**json.loads(path.read_text()), **changes}
        path.write_text(json.dumps({name: value for name, value in summary.items() if value is not None}))

    return change


def _first_file(folder: Path) -> Path:
    return min((folder / "data").iterdir())


def _truncate(folder: Path) -> None:
    path = _first_file(folder)
    path.write_bytes(path.read_bytes()[:-12])


def _damage(folder: Path) -> None:
    """Write a block type that deflate does not have."""
    path = _first_file(folder)
    packed = bytearray(path.read_bytes())
    packed[10] |= 0b110
    path.write_bytes(packed)


def _replace_by_folder(folder: Path) -> None:
    path = _first_file(folder)
    path.unlink()
    path.mkdir()


def _rewrite(content: str) -> Callable[[Path], None]:
    return lambda folder: void(_first_file(folder).write_bytes(gzip.compress(content.encode())))


def void(_: object) -> None:
    pass


FAULTS: dict[str, tuple[Callable[[Path], None], str]] = {
    "no manifest": (lambda folder: (folder / "manifest-summary.json").unlink(), "it contains no export"),
    "broken manifest": (lambda f: void((f / "manifest-summary.json").write_text("{")), "summary.json is not JSON"),
    "unfinished": (lambda folder: (folder / "manifest-files.json").unlink(), "manifest-files.json is missing"),
    "ion": (_change_summary(outputFormat="ION"), "its outputFormat is ION.*Export the table again"),
    "incremental": (_change_summary(exportType="INCREMENTAL_EXPORT"), "its exportType is INCREMENTAL_EXPORT"),
    "no time": (_change_summary(exportTime=None), "is incomplete: KeyError"),
    "broken list": (lambda f: void((f / "manifest-files.json").write_text("[]\n")), "does not contain a JSON object"),
    "list cut": (
        lambda f: void((f / "manifest-files.json").write_text((f / "manifest-files.json").read_text().split("\n")[0])),
        "contain 4 items, not 10",
    ),
    "file missing": (lambda folder: _first_file(folder).unlink(), "data/0+.json.gz is missing.*Copy the whole export"),
    "file cut": (_truncate, "data/0+.json.gz is damaged"),
    "file damaged": (_damage, "data/0+.json.gz is damaged.*Copy the export again"),
    "file unreadable": (_replace_by_folder, "data/0+.json.gz cannot be read"),
    "file not packed": (lambda folder: void(_first_file(folder).write_bytes(b'{"Item": {}}\n')), "is damaged"),
    "items missing": (_rewrite('{"Item": {"id": {"S": "a"}}}\n'), "contains 1 items, but its manifest lists 4"),
    "no item": (_rewrite('{"Item": {"id": {"S": "a"}}}\n{"Item": 5}\n'), "line 2 of data/0+.json.gz is not an item"),
    "no JSON": (_rewrite("x\n"), "line 1 of data/0+.json.gz is not an item"),
}


@pytest.mark.parametrize(("break_it", "message"), FAULTS.values(), ids=FAULTS)
def test_unusable_export_is_rejected_with_a_reason(
    folder: Path, break_it: Callable[[Path], None], message: str
) -> None:
    break_it(folder)
    with pytest.raises(SourceError, match=message) as caught:
        read(opened(folder))
    assert str(folder) in str(caught.value)


def test_export_of_another_table_and_missing_folder_are_rejected(folder: Path) -> None:
    opened(folder).check_table("tunes")
    with pytest.raises(SourceError, match="it is an export of table tunes, not of songs"):
        opened(folder).check_table("songs")
    with pytest.raises(SourceError, match="the folder does not exist"):
        opened(folder / "nowhere")
