"""Files of an export, in a local folder or in an S3 bucket."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from dynadex.errors import SourceError, SourceUnavailable
from dynadex.source.table import translate

_MANIFEST = "manifest-summary.json"
_S3 = "s3://"
_MAX_NAMED = 5
_MISSING = frozenset(("404", "NoSuchKey"))
# Error codes of S3 after which the same request may succeed, by its list of error responses.
_RETRYABLE = frozenset(("InternalError", "RequestTimeout", "ServiceUnavailable", "SlowDown", "500", "503"))
COPY_AGAIN = "Copy the export again, or export the table again."


class S3(Protocol):
    """The operations of boto3's S3 client that an export needs."""

    def get_paginator(self, operation_name: str, /) -> Any:
        """Return a paginator of ``list_objects_v2``."""
        ...

    def get_object(self, **request: str) -> Mapping[str, Any]:
        """Return the object at ``Bucket`` and ``Key``; its ``Body`` is a stream."""
        ...


class Files(Protocol):
    """The files of an export, by name relative to the folder of its manifest; ``where`` is that folder."""

    where: str

    def read(self, name: str) -> bytes | None:
        """Return the contents of a small file, or None if it does not exist. Raises SourceError."""
        ...

    def lines(self, name: str) -> Generator[bytes, None, None]:
        """Yield the lines of a gzip file while it is read.

        Raises SourceError if it is missing or damaged, SourceUnavailable if another attempt may succeed.
        """
        ...


class Folder:
    """An export that was copied to a local folder."""

    def __init__(self, path: Path) -> None:
        self.where = str(path)
        self._path = path

    @classmethod
    def find(cls, where: str) -> Folder:
        """Return the only export in or below a folder. Raises SourceError if there is none or more than one."""
        path = Path(where)
        if not path.is_dir():
            raise SourceError("read export", where, "the folder does not exist", "Pass the folder of the manifest.")
        return cls(Path(only_export(where, [str(manifest.parent) for manifest in sorted(path.rglob(_MANIFEST))])))

    def read(self, name: str) -> bytes | None:
        with self._translated(name):
            path = self._path / name
            return path.read_bytes() if path.exists() else None

    def lines(self, name: str) -> Generator[bytes, None, None]:
        with self._translated(name):
            packed = (self._path / name).open("rb")
        with packed:
            yield from _unpacked(packed, self.where, name)

    @contextmanager
    def _translated(self, name: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise missing_file(self.where, name) from None
        except OSError as error:
            raise SourceError("read export", self.where, f"{name} cannot be read: {error}", COPY_AGAIN) from error


class Bucket:
    """An export in the bucket that AWS wrote it to; ``prefix`` is the key of its folder, empty for the bucket."""

    def __init__(self, client: S3, bucket: str, prefix: str) -> None:
        self.where = f"{_S3}{bucket}/{prefix}".rstrip("/")
        self._client = client
        self._bucket = bucket
        self._prefix = prefix

    @classmethod
    def find(cls, client: S3, where: str) -> Bucket:
        """Return the only export at or below ``s3://bucket/prefix``. Raises SourceError if there is none or several."""
        # Not parsed as a URL, because a key may contain any character.
        bucket, _, path = where.removeprefix(_S3).partition("/")
        prefix = path.strip("/")
        with _translated(where):
            pages = client.get_paginator("list_objects_v2").paginate(
                Bucket=bucket, Prefix=f"{prefix}/" if prefix else ""
            )
            keys = (item["Key"] for page in pages for item in page.get("Contents", ()))
            folders = [folder for key in keys for folder, name in [_split(key)] if name == _MANIFEST]
        exports = [cls(client, bucket, folder) for folder in folders]
        location = only_export(where, sorted(export.where for export in exports))
        return next(export for export in exports if export.where == location)

    def read(self, name: str) -> bytes | None:
        with _translated(self.where):
            body = self._body(name)
            if body is None:
                return None
            with closing(body):
                return body.read()

    def lines(self, name: str) -> Generator[bytes, None, None]:
        with _translated(self.where):
            body = self._body(name)
            if body is None:
                raise missing_file(self.where, name)
            with closing(body):
                yield from _unpacked(body, self.where, name)

    def _body(self, name: str) -> IO[bytes] | None:
        """The object as a stream, or None if it does not exist. Close it: an unread stream occupies its connection."""
        key = f"{self._prefix}/{name}" if self._prefix else name
        try:
            body: IO[bytes] = self._client.get_object(Bucket=self._bucket, Key=key)["Body"]
        except ClientError as error:
            if error.response["Error"]["Code"] in _MISSING:
                return None
            raise
        return body


def only_export(where: str, locations: list[str]) -> str:
    """Return the only location. Raises SourceError if there is none or more than one."""
    if not locations:
        hint = f"Pass the folder that contains its {_MANIFEST}, which DynamoDB writes when the export is complete."
        raise SourceError("read export", where, "it contains no export", hint)
    if len(locations) > 1:
        # The name of an export starts with its time, so the newest are the last.
        which = "" if len(locations) <= _MAX_NAMED else ", for example the newest"
        hint = f"Pass one of them{which}: {', '.join(locations[-_MAX_NAMED:])}."
        raise SourceError("read export", where, f"it contains {len(locations):,} exports", hint)
    return locations[0]


def missing_file(where: str, name: str) -> SourceError:
    """Return the error of a file that the manifest lists but that does not exist."""
    return SourceError("read export", where, f"{name} is missing", "Copy the whole export, or export the table again.")


def _split(key: str) -> tuple[str, str]:
    folder, _, name = key.rpartition("/")
    return folder, name


def _unpacked(packed: IO[bytes], where: str, name: str) -> Generator[bytes, None, None]:
    try:
        with gzip.GzipFile(fileobj=packed) as file:
            yield from file
    except BotoCoreError:
        # Some are also OSErrors, but the file is not damaged.
        raise
    except (EOFError, zlib.error, OSError) as error:
        raise SourceError("read export", where, f"{name} is damaged: {error}", COPY_AGAIN) from error


@contextmanager
def _translated(where: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] in _RETRYABLE:
            raise SourceUnavailable("read export", where, str(error)) from error
        hint = "Check the name of the bucket, and that this role may list and read it."
        raise SourceError("read export", where, str(error), hint) from error
    except BotoCoreError as error:
        raise translate(error, "read export", where) from error
