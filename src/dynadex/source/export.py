"""Items of a point-in-time export of a table to S3, which uses no read capacity, unlike a scan.

The format is DYNAMODB_JSON: ``manifest-summary.json`` states what was exported and when; ``manifest-files.json`` lists
the data files, with a JSON object on each line; a data file, compressed with gzip, has an ``{"Item": {...}}`` of typed
JSON on each line. Binary values are base64 text. Source: "DynamoDB table export output format" in the DynamoDB
Developer Guide.
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
from dynadex.source.export_files import COPY_AGAIN, S3, Bucket, Files, Folder, missing_file
from dynadex.source.table_scan import Page, Pages

_PAGE_ITEMS = 1000
# Typed JSON in a page. A scan ends its pages at 1 MB; 1,000 items of the maximum size would be 400 MB.
_PAGE_BYTES = 4_000_000
_EXPORT_AGAIN = "Export the table again: aws dynamodb export-table-to-point-in-time --export-format DYNAMODB_JSON."


@dataclass(frozen=True, slots=True)
class DataFile:
    """A data file: its name relative to the manifest, and the number of its items."""

    name: str
    items: int


@dataclass(frozen=True, slots=True)
class Export:
    """A full export of a table at a point in time (``export_time_us``, in microseconds since the epoch)."""

    files: Files
    table: str
    export_time_us: int
    item_count: int
    data_files: Sequence[DataFile]

    @property
    def name(self) -> str:
        """Location and time, which distinguish it from another export at the same location."""
        return f"{self.files.where} of {iso(self.export_time_us)}"

    @classmethod
    def open(cls, where: str, s3: Callable[[], S3]) -> Export:
        """Open the only export in or below a folder or, with boto3's client for S3, at ``s3://bucket/prefix``.

        Raises SourceError if there is none or more than one, or if it cannot be loaded: incremental, in another format,
        incomplete. Raises SourceUnavailable if S3 is unavailable.
        """
        files: Files = Bucket.find(s3(), where) if where.startswith("s3://") else Folder.find(where)
        summary = _object(files, "manifest-summary.json", files.read("manifest-summary.json") or b"")
        for field, required in (("outputFormat", "DYNAMODB_JSON"), ("exportType", "FULL_EXPORT")):
            if summary.get(field, required) != required:
                raise _unusable(files, f"its {field} is {summary[field]}, not {required}")
        listing = files.read("manifest-files.json")
        if listing is None:
            raise missing_file(files.where, "manifest-files.json")
        data_files = [_data_file(files, line) for line in listing.splitlines() if line.strip()]
        try:
            time = datetime.fromisoformat(summary["exportTime"])
            table = str(summary["tableArn"]).rpartition("/")[2]
            count = int(summary["itemCount"])
        except (KeyError, TypeError, ValueError) as error:
            raise _unusable(files, f"its manifest-summary.json is incomplete: {error!r}") from error
        listed_count = sum(data_file.items for data_file in data_files)
        if count != listed_count:
            reason = f"the files in its manifest-files.json contain {listed_count:,} items, not {count:,}"
            raise _unusable(files, reason)
        return cls(files, table, _microseconds(time), count, data_files)

    def check_table(self, name: str) -> None:
        """Raise SourceError unless this is an export of the table."""
        if self.table != name:
            reason = f"it is an export of table {self.table}, not of {name}"
            raise SourceError("load export", self.files.where, reason, f"Pass an export of {name}.")

    def pages(self, segment: int = 0, total_segments: int = 1) -> Pages:
        """Return the items in pages, or those of one of several segments, among which the data files are divided."""
        return ExportPages(self, self.data_files[segment::total_segments])


class ExportPages:
    """Pages of data files, in order. A position has the form of a key: the number of a file and of a line in it.

    The page after the last one continues the open file; any other position is read from the start of its file.
    """

    def __init__(self, export: Export, data_files: Sequence[DataFile]) -> None:
        self._export = export
        self._data_files = data_files
        self._stream = ExitStack()
        self._lines: Iterator[bytes] = iter(())
        self._at: tuple[int, int] | None = None

    def page(self, start_key: Mapping[str, Any] | None, limit: int | None = None) -> Page:
        """See `dynadex.source.table_scan.Pages`. Its time is the export time; the last page of a file may be empty."""
        file, line = (int(start_key["File"]["N"]), int(start_key["Line"]["N"])) if start_key else (0, 0)
        # Without a position until the page is complete: after an error, the same page is read again.
        at, self._at = self._at, None
        if file >= len(self._data_files):
            return Page((), self._export.export_time_us, None, 0.0)
        if at != (file, line):
            self._lines = self._opened(file, line)
        raw, ended = _next_lines(self._lines, limit or _PAGE_ITEMS)
        items = [self._item(file, line + number, content) for number, content in enumerate(raw)]
        line += len(raw)
        if ended:
            self._check_count(file, line)
            file, line = file + 1, 0
            if file < len(self._data_files):
                self._lines = self._opened(file, 0)
        self._at = (file, line)
        next_key = {"File": {"N": str(file)}, "Line": {"N": str(line)}} if file < len(self._data_files) else None
        return Page(items, self._export.export_time_us, next_key, 0.0)

    def close(self) -> None:
        """Close the open file."""
        self._stream.close()

    def _opened(self, file: int, line: int) -> Iterator[bytes]:
        self._stream.close()
        lines = self._export.files.lines(self._data_files[file].name)
        self._stream.callback(lines.close)
        return islice(lines, line, None)

    def _item(self, file: int, number: int, line: bytes) -> Item:
        try:
            item = json.loads(line)["Item"]
            if isinstance(item, dict):
                return item
        except (ValueError, KeyError, TypeError):
            pass
        reason = f"line {number + 1} of {self._data_files[file].name} is not an item"
        raise SourceError("read export", self._export.files.where, reason, COPY_AGAIN)

    def _check_count(self, file: int, count: int) -> None:
        data_file = self._data_files[file]
        if count != data_file.items:
            reason = f"{data_file.name} contains {count:,} items, but its manifest lists {data_file.items:,}"
            raise SourceError("read export", self._export.files.where, reason, COPY_AGAIN)


def _next_lines(lines: Iterable[bytes], max_lines: int) -> tuple[list[bytes], bool]:
    """The lines of one page, and whether they are the last of the file."""
    page: list[bytes] = []
    size = 0
    for line in lines:
        page.append(line)
        size += len(line)
        if len(page) >= max_lines or size >= _PAGE_BYTES:
            return page, False
    return page, True


def _data_file(files: Files, line: bytes) -> DataFile:
    entry = _object(files, "manifest-files.json", line)
    try:
        # The key is that in the bucket of the export; a copied file is in the folder data/ next to the manifest.
        return DataFile("data/" + str(entry["dataFileS3Key"]).rpartition("/")[2], int(entry["itemCount"]))
    except (KeyError, ValueError) as error:
        raise _unusable(files, f"a line of its manifest-files.json is incomplete: {error!r}") from error


def _object(files: Files, name: str, content: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(content)
    except ValueError as error:
        raise _unusable(files, f"{name} is not JSON: {error}") from error
    if not isinstance(parsed, dict):
        raise _unusable(files, f"{name} does not contain a JSON object")
    return parsed


def _unusable(files: Files, reason: str) -> SourceError:
    return SourceError("load export", files.where, reason, _EXPORT_AGAIN)


def _microseconds(time: datetime) -> int:
    # DynamoDB rounds it to milliseconds. Without a zone, it is read as UTC rather than as local time.
    return round((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * MICROSECONDS)
