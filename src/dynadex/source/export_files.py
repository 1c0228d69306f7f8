"""Files of an export, in a folder or in a bucket."""

from __future__ import annotations

import gzip
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Protocol, cast
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from dynadex.errors import SourceError, SourceUnavailable

_MANIFEST = "manifest-summary.json"
_MISSING = frozenset(("404", "NoSuchBucket", "NoSuchKey"))


class Files(Protocol):
    """Where an export lies. Names are relative to the folder of its manifest."""

    where: str

    def read(self, name: str) -> bytes | None:
        """A small file as a whole; None when it is not there."""
        ...

    def lines(self, name: str) -> Generator[bytes, None, None]:
        """The lines of a file packed with gzip, as they are read. Raises SourceError."""
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
        path = self._path / name
        return path.read_bytes() if path.exists() else None

    def lines(self, name: str) -> Generator[bytes, None, None]:
        try:
            with (self._path / name).open("rb") as packed:
                yield from _unpacked(packed, self.where, name)
        except FileNotFoundError:
            raise missing(self.where, name) from None


class Bucket:
    """An export where AWS writes it. ``client`` is boto3's for S3."""

    def __init__(self, client: Any, bucket: str, prefix: str) -> None:
        self.where = f"s3://{bucket}/{prefix}"
        self._client = client
        self._bucket = bucket
        self._prefix = prefix

    @classmethod
    def find(cls, client: Any, where: str) -> Bucket:
        """The one export at ``s3://bucket/prefix`` or below it. Raises SourceError for none, or several."""
        parts = urlsplit(where)
        bucket, prefix = parts.netloc, parts.path.strip("/")
        with _translated(where):
            pages = client.get_paginator("list_objects_v2").paginate(
                Bucket=bucket, Prefix=f"{prefix}/" if prefix else ""
            )
            keys = [item["Key"] for page in pages for item in page.get("Contents", ())]
        found = sorted(key.removesuffix(f"/{_MANIFEST}") for key in keys if key.endswith(f"/{_MANIFEST}"))
        return cls(client, bucket, only(where, found))

    def read(self, name: str) -> bytes | None:
        with _translated(self.where):
            try:
                body = self._client.get_object(Bucket=self._bucket, Key=f"{self._prefix}/{name}")["Body"]
            except ClientError as error:
                if error.response["Error"]["Code"] in _MISSING:
                    return None
                raise
            return bytes(body.read())

    def lines(self, name: str) -> Generator[bytes, None, None]:
        with _translated(self.where):
            try:
                body = self._client.get_object(Bucket=self._bucket, Key=f"{self._prefix}/{name}")["Body"]
            except ClientError as error:
                if error.response["Error"]["Code"] in _MISSING:
                    raise missing(self.where, name) from None
                raise
            yield from _unpacked(cast("IO[bytes]", body), self.where, name)


def only(where: str, found: list[str]) -> str:
    """The one export there is. Raises SourceError for none, or several."""
    if not found:
        hint = f"Give the folder that holds its {_MANIFEST}, which DynamoDB writes when an export is complete."
        raise SourceError("read export", where, "there is no export", hint)
    if len(found) > 1:
        raise SourceError("read export", where, "there are several exports", f"Name one: {', '.join(found)}.")
    return found[0]


def missing(where: str, name: str) -> SourceError:
    """What is said of a file that the manifest names and nobody has."""
    return SourceError("read export", where, f"{name} is missing", "Copy the export as a whole, or export anew.")


def _unpacked(packed: IO[bytes], where: str, name: str) -> Generator[bytes, None, None]:
    try:
        with gzip.GzipFile(fileobj=packed) as file:
            yield from file
    except (EOFError, gzip.BadGzipFile, OSError) as error:
        reason = f"{name} is damaged: {error}"
        raise SourceError("read export", where, reason, "Copy the export again, or export anew.") from error


@contextmanager
def _translated(where: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        hint = "Check the bucket's name and this role's right to list and read it."
        raise SourceError("read export", where, str(error), hint) from error
    except BotoCoreError as error:
        raise SourceUnavailable("read export", where, str(error), "Check the endpoint and the network.") from error
