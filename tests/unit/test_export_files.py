"""Exports in a bucket: located by their manifest, read as a stream, and errors of S3."""

from __future__ import annotations

import gzip
import io
from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError, NoCredentialsError, ReadTimeoutError

from dynadex.errors import SourceError, SourceUnavailable
from dynadex.source.export_files import Bucket

LINES = [f"line {number}\n".encode() for number in range(5)]


class Body(io.BytesIO):
    """A response body that may fail at its end."""

    def __init__(self, content: bytes, fails: Exception | None = None) -> None:
        super().__init__(content)
        self._fails = fails

    def read(self, size: int | None = -1) -> bytes:
        content = super().read(size)
        if self._fails and not content:
            raise self._fails
        return content


class FakeS3:
    """Objects of one bucket. Every call raises ``trouble``, and every read ends with ``fails``."""

    def __init__(self, objects: Mapping[str, bytes], trouble: Exception | None = None) -> None:
        self.objects = objects
        self.trouble = trouble
        self.fails: Exception | None = None
        self.bodies: list[Body] = []

    def get_paginator(self, _: str) -> FakeS3:
        return self

    def paginate(self, **request: str) -> list[dict[str, Any]]:
        if self.trouble:
            raise self.trouble
        keys = sorted(key for key in self.objects if key.startswith(request["Prefix"]))
        return [{"Contents": [{"Key": key}]} for key in keys] or [{}]

    def get_object(self, **request: str) -> dict[str, Any]:
        if self.trouble:
            raise self.trouble
        if request["Key"] not in self.objects:
            raise client_error("NoSuchKey")
        self.bodies.append(Body(self.objects[request["Key"]], self.fails))
        return {"Body": self.bodies[-1]}


def client_error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "as reported"}}, "GetObject")


MANIFEST = "manifest-summary.json"


@pytest.mark.parametrize("where", ["s3://exports/mine", "s3://exports/mine/", "s3://exports/mine/AWSDynamoDB/01-a"])
def test_export_below_a_prefix_is_located(where: str) -> None:
    s3 = FakeS3({f"mine/AWSDynamoDB/01-a/{MANIFEST}": b"{}", f"mine-too/AWSDynamoDB/02-b/{MANIFEST}": b"[]"})
    export = Bucket.find(s3, where)
    assert export.where == "s3://exports/mine/AWSDynamoDB/01-a"
    assert (export.read(MANIFEST), export.read("none")) == (b"{}", None)
    assert all(body.closed for body in s3.bodies)


@pytest.mark.parametrize("prefix", ["a#b", "a?b=c", "a%20b", "ä b"])
def test_prefix_is_not_parsed_as_a_url(prefix: str) -> None:
    s3 = FakeS3({f"{prefix}/{MANIFEST}": b"{}"})
    assert Bucket.find(s3, f"s3://exports/{prefix}").read(MANIFEST) == b"{}"


def test_export_may_be_at_the_top_of_a_bucket() -> None:
    export = Bucket.find(FakeS3({MANIFEST: b"{}", "data/x.json.gz": b""}), "s3://exports")
    assert export.where == "s3://exports"
    assert export.read(MANIFEST) == b"{}"


def test_none_or_several_exports_are_an_error() -> None:
    several = {f"mine/{name}/{MANIFEST}": b"{}" for name in "ab"}
    with pytest.raises(
        SourceError, match=r"it contains 2 exports.*Pass one of them: s3://exports/mine/a, s3://exports/mine/b"
    ):
        Bucket.find(FakeS3(several), "s3://exports/mine")
    many = {f"mine/{number:03}/{MANIFEST}": b"{}" for number in range(200)}
    with pytest.raises(
        SourceError, match=r"it contains 200 exports.* the newest: s3://exports/mine/195.*mine/199\."
    ) as raised:
        Bucket.find(FakeS3(many), "s3://exports/mine")
    assert len(str(raised.value)) < 400
    with pytest.raises(SourceError, match="it contains no export"):
        Bucket.find(FakeS3({f"mine/not-{MANIFEST}": b"{}"}), "s3://exports/mine")


def bucket(s3: FakeS3) -> Bucket:
    return Bucket(s3, "exports", "mine")


def packed() -> FakeS3:
    return FakeS3({"mine/data/x.json.gz": gzip.compress(b"".join(LINES))})


@pytest.mark.parametrize("count", [0, 2, 5])
def test_lines_are_streamed_and_their_connection_is_released(count: int) -> None:
    s3 = packed()
    lines = bucket(s3).lines("data/x.json.gz")
    assert [next(lines) for _ in range(count)] == LINES[:count]
    lines.close()
    assert all(body.closed for body in s3.bodies)


def test_file_of_an_empty_partition_may_be_empty() -> None:
    assert list(bucket(FakeS3({"mine/data/x.json.gz": b""})).lines("data/x.json.gz")) == []


def test_error_names_the_missing_file() -> None:
    with pytest.raises(SourceError, match=r"data/y.json.gz is missing"):
        list(bucket(packed()).lines("data/y.json.gz"))


def test_lost_connection_is_not_a_damaged_file() -> None:
    """The timeout of botocore is an OSError, and so is the error of gzip for a damaged file."""
    s3 = packed()
    s3.objects = {key: content[:-12] for key, content in s3.objects.items()}
    s3.fails = ReadTimeoutError(endpoint_url="https://s3")
    with pytest.raises(SourceUnavailable, match="Read timeout"):
        list(bucket(s3).lines("data/x.json.gz"))
    s3.fails = None
    with pytest.raises(SourceError, match="is damaged"):
        list(bucket(s3).lines("data/x.json.gz"))


@pytest.mark.parametrize(
    ("trouble", "kind", "message"),
    [
        (client_error("AccessDenied"), SourceError, "AccessDenied.*list and read"),
        (client_error("NoSuchBucket"), SourceError, "NoSuchBucket"),
        (client_error("SlowDown"), SourceUnavailable, "SlowDown"),
        (client_error("InternalError"), SourceUnavailable, "InternalError"),
        (client_error("503"), SourceUnavailable, "503"),
        (NoCredentialsError(), SourceError, "Configure AWS credentials"),
        (ReadTimeoutError(endpoint_url="https://s3"), SourceUnavailable, "Check the endpoint"),
    ],
)
def test_error_of_s3_states_whether_a_retry_may_succeed(
    trouble: Exception, kind: type[SourceError], message: str
) -> None:
    with pytest.raises(SourceError, match=message) as caught:
        Bucket.find(FakeS3({}, trouble), "s3://exports/mine")
    assert type(caught.value) is kind
