"""Files of an export, in a folder or in a bucket."""

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
# S3's own ways to say "later", by its list of error responses.
_PASSING = frozenset(("InternalError", "RequestTimeout", "ServiceUnavailable", "SlowDown", "500", "503"))
_COPY_AGAIN = "Copy the export again, or export anew."


class S3(Protocol):
    """What is needed of boto3's client for S3."""

    def get_paginator(self, operation_name: str, /) -> Any:
        """A paginator of ``list_objects_v2``."""
        ...

    def get_object(self, **request: str) -> Mapping[str, Any]:
        """An object, by ``Bucket`` and ``Key``; its ``Body`` is a stream."""
        ...


class Files(Protocol):
    """Where an export lies. Names are relative to the folder of its manifest."""

    where: str

    def read(self, name: str) -> bytes | None:
        """A small file as a whole; None when it is not there. Raises SourceError."""
        ...

    def lines(self, name: str) -> Generator[bytes, None, None]:
        """The lines of a file packed with gzip, as they are read.

        Raises SourceError when it is missing or damaged, SourceUnavailable when reading it anew may do.
        """
        ...


class Folder:
    """An export that was copied to this machine."""

    def __init__(self, path: Path) -> None:
        self.where = str(path)
        self._path = path

    @classmethod
    def find(cls, where: str) -> Folder:
        """The one export in a folder or below it. Raises SourceError for none, or several."""
        path = Path(where)
        if not path.is_dir():
            raise SourceError("read export", where, "there is no such folder", "Give the folder of its manifest.")
        return cls(Path(only(where, [str(found.parent) for found in sorted(path.rglob(_MANIFEST))])))

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
            raise missing(self.where, name) from None
        except OSError as error:
            raise SourceError("read export", self.where, f"{name} cannot be read: {error}", _COPY_AGAIN) from error


class Bucket:
    """An export where AWS writes it; ``prefix`` is the key of its folder, empty for the bucket itself."""

    def __init__(self, client: S3, bucket: str, prefix: str) -> None:
        self.where = f"{_S3}{bucket}/{prefix}".rstrip("/")
        self._client = client
        self._bucket = bucket
        self._prefix = prefix

    @classmethod
    def find(cls, client: S3, where: str) -> Bucket:
        """The one export at ``s3://bucket/prefix`` or below it. Raises SourceError for none, or several."""
        # Not taken apart as a URL: a key may hold any character.
        bucket, _, path = where.removeprefix(_S3).partition("/")
        prefix = path.strip("/")
        with _translated(where):
            pages = client.get_paginator("list_objects_v2").paginate(
                Bucket=bucket, Prefix=f"{prefix}/" if prefix else ""
            )
            keys = (item["Key"] for page in pages for item in page.get("Contents", ()))
            found = [cls(client, bucket, folder) for key in keys for folder, name in [_split(key)] if name == _MANIFEST]
        place = only(where, sorted(one.where for one in found))
        return next(one for one in found if one.where == place)

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
                raise missing(self.where, name)
            with closing(body):
                yield from _unpacked(body, self.where, name)

    def _body(self, name: str) -> IO[bytes] | None:
        """An object as a stream, to be closed: what is not read to its end keeps its connection. None: not there."""
        key = f"{self._prefix}/{name}" if self._prefix else name
        try:
            body: IO[bytes] = self._client.get_object(Bucket=self._bucket, Key=key)["Body"]
        except ClientError as error:
            if error.response["Error"]["Code"] in _MISSING:
                return None
            raise
        return body


def only(where: str, found: list[str]) -> str:
    """The one export there is. Raises SourceError for none, or several."""
    if not found:
        hint = f"Give the folder that holds its {_MANIFEST}, which DynamoDB writes when an export is complete."
        raise SourceError("read export", where, "there is no export", hint)
    if len(found) > 1:
        # Their names begin with their times: the newest are the last.
        named = ": " if len(found) <= _MAX_NAMED else "; the newest: "
        hint = f"Name one of them{named}{', '.join(found[-_MAX_NAMED:])}."
        raise SourceError("read export", where, f"there are {len(found):,} exports", hint)
    return found[0]


def missing(where: str, name: str) -> SourceError:
    """What is said of a file that the manifest names and nobody has."""
    return SourceError("read export", where, f"{name} is missing", "Copy the export as a whole, or export anew.")


def _split(key: str) -> tuple[str, str]:
    folder, _, name = key.rpartition("/")
    return folder, name


def _unpacked(packed: IO[bytes], where: str, name: str) -> Generator[bytes, None, None]:
    try:
        with gzip.GzipFile(fileobj=packed) as file:
            yield from file
    except BotoCoreError:
        # Some are OSErrors, too; the file is not at fault.
        raise
    except (EOFError, zlib.error, OSError) as error:
        raise SourceError("read export", where, f"{name} is damaged: {error}", _COPY_AGAIN) from error


@contextmanager
def _translated(where: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] in _PASSING:
            raise SourceUnavailable("read export", where, str(error)) from error
        hint = "Check the bucket's name and this role's right to list and read it."
        raise SourceError("read export", where, str(error), hint) from error
    except BotoCoreError as error:
        raise translate(error, "read export", where) from error
