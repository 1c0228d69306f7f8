"""Items of a point-in-time export of a table to S3, instead of a scan: no read capacity used.

The format is DynamoDB's own (DYNAMODB_JSON): ``manifest-summary.json`` says what was exported and when,
``manifest-files.json`` names the data files, a JSON object on each line, and each data file holds an
``{"Item": {...}}`` of typed JSON on each line, packed with gzip. Binary values are base64 text. Source: "DynamoDB
table export output format" in the DynamoDB Developer Guide.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from dynadex.change import Item
from dynadex.clock import iso
from dynadex.document.versioning import MICROSECONDS
from dynadex.errors import SourceError
from dynadex.source.export_files import S3, Bucket, Files, Folder, missing
from dynadex.source.table_scan import Page, Pages

_PAGE_ITEMS = 1000
# Of typed JSON. A scan's page ends at 1 MB; a thousand items of the largest size would be 400.
_PAGE_BYTES = 4_000_000
_ANEW = "Export the table anew: aws dynamodb export-table-to-point-in-time --export-format DYNAMODB_JSON."


@dataclass(frozen=True, slots=True)
class DataFile:
    """One data file, by its name relative to the manifest, and how many items it holds."""

    name: str
    items: int


@dataclass(frozen=True, slots=True)
class Export:
    """A full export: of which table, as of when (microseconds since the epoch), in which files."""

    files: Files
    table: str
    export_time_us: int
    item_count: int
    data: Sequence[DataFile]

    @property
    def name(self) -> str:
        """Where it lies, and as of when: another export in the same place is not to be taken for this one."""
        return f"{self.files.where} of {iso(self.export_time_us)}"

    @classmethod
    def open(cls, where: str, s3: Callable[[], S3]) -> Export:
        """The one export in or below a folder or, read with boto3's client for S3, at ``s3://bucket/prefix``.

        Raises SourceError when there is none, or one that cannot be loaded: incremental, in another format,
        unfinished; SourceUnavailable when S3 did not answer.
        """
        files: Files = Bucket.find(s3(), where) if where.startswith("s3://") else Folder.find(where)
        summary = _object(files, "manifest-summary.json", files.read("manifest-summary.json") or b"")
        for field, wanted in (("outputFormat", "DYNAMODB_JSON"), ("exportType", "FULL_EXPORT")):
            if summary.get(field, wanted) != wanted:
                raise _unusable(files, f"its {field} is {summary[field]}, not {wanted}")
        listed = files.read("manifest-files.json")
        if listed is None:
            raise missing(files.where, "manifest-files.json")
        data = [_data_file(files, line) for line in listed.splitlines() if line.strip()]
        try:
            time = datetime.fromisoformat(summary["exportTime"])
            table = str(summary["tableArn"]).rpartition("/")[2]
            count = int(summary["itemCount"])
        except (KeyError, TypeError, ValueError) as error:
            raise _unusable(files, f"its manifest-summary.json lacks something: {error!r}") from error
        if count != sum(one.items for one in data):
            listed_count = f"{sum(one.items for one in data):,} items, not {count:,}"
            raise _unusable(files, f"the files in its manifest-files.json hold {listed_count}")
        return cls(files, table, _microseconds(time), count, data)

    def check_table(self, name: str) -> None:
        """Raise SourceError unless it was made of this table."""
        if self.table != name:
            reason = f"it is of table {self.table}, not {name}"
            raise SourceError("load export", self.files.where, reason, "Give another one.")

    def pages(self, segment: int = 0, total_segments: int = 1) -> Pages:
        """Its items a page at a time, or those of every so-many-th file."""
        return ExportPages(self, self.data[segment::total_segments])


class ExportPages:
    """Pages of some data files, in order. A position is shaped like a key: a file's number, and a line's in it.

    A page that follows the last one is read on; any other place is looked for from the beginning of its file.
    """

    def __init__(self, export: Export, data: Sequence[DataFile]) -> None:
        self._export = export
        self._data = data
        self._stream = ExitStack()
        self._lines: Iterator[bytes] = iter(())
        self._at: tuple[int, int] | None = None

    def page(self, start_key: Mapping[str, Any] | None, limit: int | None = None) -> Page:
        """As `dynadex.source.table_scan.Pages`. Its time is the export's; the last page of a file may be empty."""
        file, line = (int(start_key["File"]["N"]), int(start_key["Line"]["N"])) if start_key else (0, 0)
        # Until this page is known to be good, nobody stands anywhere: it may have to be given again.
        at, self._at = self._at, None
        if file >= len(self._data):
            return Page((), self._export.export_time_us, None, 0.0)
        if at != (file, line):
            self._lines = self._opened(file, line)
        raw, ended = _taken(self._lines, limit or _PAGE_ITEMS)
        items = [self._item(file, line + number, one) for number, one in enumerate(raw)]
        line += len(raw)
        if ended:
            self._check_count(file, line)
            file, line = file + 1, 0
            if file < len(self._data):
                self._lines = self._opened(file, 0)
        self._at = (file, line)
        next_key = {"File": {"N": str(file)}, "Line": {"N": str(line)}} if file < len(self._data) else None
        return Page(items, self._export.export_time_us, next_key, 0.0)

    def close(self) -> None:
        """Close the file that is read."""
        self._stream.close()

    def _opened(self, file: int, line: int) -> Iterator[bytes]:
        self._stream.close()
        lines = self._export.files.lines(self._data[file].name)
        self._stream.callback(lines.close)
        return islice(lines, line, None)

    def _item(self, file: int, number: int, line: bytes) -> Item:
        try:
            item = json.loads(line)["Item"]
            if isinstance(item, dict):
                return item
        except (ValueError, KeyError, TypeError):
            pass
        reason = f"line {number + 1} of {self._data[file].name} holds no item"
        raise SourceError("read export", self._export.files.where, reason, "Copy the export again, or export anew.")

    def _check_count(self, file: int, found: int) -> None:
        data = self._data[file]
        if found != data.items:
            reason = f"{data.name} holds {found:,} items, and its manifest says {data.items:,}"
            raise SourceError("read export", self._export.files.where, reason, "Copy the export again, or export anew.")


def _taken(lines: Iterable[bytes], most: int) -> tuple[list[bytes], bool]:
    """Lines for one page, and whether they were the last ones."""
    taken: list[bytes] = []
    size = 0
    for line in lines:
        taken.append(line)
        size += len(line)
        if len(taken) >= most or size >= _PAGE_BYTES:
            return taken, False
    return taken, True


def _data_file(files: Files, line: bytes) -> DataFile:
    entry = _object(files, "manifest-files.json", line)
    try:
        # The key is the bucket's; the file itself lies beside the manifest, in data/.
        return DataFile("data/" + str(entry["dataFileS3Key"]).rpartition("/")[2], int(entry["itemCount"]))
    except (KeyError, ValueError) as error:
        raise _unusable(files, f"a line of its manifest-files.json lacks something: {error!r}") from error


def _object(files: Files, name: str, content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except ValueError as error:
        raise _unusable(files, f"{name} is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise _unusable(files, f"{name} holds no JSON object")
    return found


def _unusable(files: Files, reason: str) -> SourceError:
    return SourceError("load export", files.where, reason, _ANEW)


def _microseconds(time: datetime) -> int:
    # Rounded to milliseconds by DynamoDB; as text without a zone it would be anybody's.
    return round((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * MICROSECONDS)
