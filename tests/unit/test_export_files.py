"""Exports in a bucket: found by their manifest, read as a stream, and what S3 answers told apart."""

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
    """A response body that may fail after so many bytes."""

    def __init__(self, content: bytes, fails: Exception | None = None) -> None:
        super().__init__(content)
        self._fails = fails

    def read(self, size: int | None = -1) -> bytes:
        found = super().read(size)
        if self._fails and not found:
            raise self._fails
        return found


class FakeS3:
    """Objects of one bucket; ``trouble`` is what every call raises, ``fails`` what reading ends with."""

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
    return ClientError({"Error": {"Code": code, "Message": "as told"}}, "GetObject")


MANIFEST = "manifest-summary.json"


@pytest.mark.parametrize("where", ["s3://exports/mine", "s3://exports/mine/", "s3://exports/mine/AWSDynamoDB/01-a"])
def test_the_one_export_below_a_prefix(where: str) -> None:
    s3 = FakeS3({f"mine/AWSDynamoDB/01-a/{MANIFEST}": b"{}", f"mine-too/AWSDynamoDB/02-b/{MANIFEST}": b"[]"})
    found = Bucket.find(s3, where)
    assert found.where == "s3://exports/mine/AWSDynamoDB/01-a"
    assert (found.read(MANIFEST), found.read("none")) == (b"{}", None)
    assert all(body.closed for body in s3.bodies)


@pytest.mark.parametrize("prefix", ["a#b", "a?b=c", "a%20b", "ä b"])
def test_a_prefix_is_text_and_no_url(prefix: str) -> None:
    s3 = FakeS3({f"{prefix}/{MANIFEST}": b"{}"})
    assert Bucket.find(s3, f"s3://exports/{prefix}").read(MANIFEST) == b"{}"


def test_a_bucket_may_be_the_export_itself() -> None:
    found = Bucket.find(FakeS3({MANIFEST: b"{}", "data/x.json.gz": b""}), "s3://exports")
    assert found.where == "s3://exports"
    assert found.read(MANIFEST) == b"{}"


def test_none_or_several_are_told() -> None:
    several = {f"mine/{one}/{MANIFEST}": b"{}" for one in "ab"}
    with pytest.raises(
        SourceError, match=r"there are 2 exports.*Name one of them: s3://exports/mine/a, s3://exports/mine/b"
    ):
        Bucket.find(FakeS3(several), "s3://exports/mine")
    many = {f"mine/{number:03}/{MANIFEST}": b"{}" for number in range(200)}
    with pytest.raises(
        SourceError, match=r"there are 200 exports.* the newest: s3://exports/mine/195.*mine/199\."
    ) as told:
        Bucket.find(FakeS3(many), "s3://exports/mine")
    assert len(str(told.value)) < 400
    with pytest.raises(SourceError, match="there is no export"):
        Bucket.find(FakeS3({f"mine/not-{MANIFEST}": b"{}"}), "s3://exports/mine")


def bucket(s3: FakeS3) -> Bucket:
    return Bucket(s3, "exports", "mine")


def packed() -> FakeS3:
    return FakeS3({"mine/data/x.json.gz": gzip.compress(b"".join(LINES))})


@pytest.mark.parametrize("taken", [0, 2, 5])
def test_lines_are_read_as_they_are_wanted_and_their_connection_is_given_back(taken: int) -> None:
    s3 = packed()
    lines = bucket(s3).lines("data/x.json.gz")
    assert [next(lines) for _ in range(taken)] == LINES[:taken]
    lines.close()
    assert all(body.closed for body in s3.bodies)


def test_an_empty_partition_may_be_a_file_of_no_bytes() -> None:
    assert list(bucket(FakeS3({"mine/data/x.json.gz": b""})).lines("data/x.json.gz")) == []


def test_a_missing_file_is_told() -> None:
    with pytest.raises(SourceError, match=r"data/y.json.gz is missing"):
        list(bucket(packed()).lines("data/y.json.gz"))


def test_a_connection_that_is_lost_while_reading_is_no_damage() -> None:
    """Though botocore's time-out is an OSError, as is gzip's complaint of a bad file."""
    s3 = packed()
    s3.objects = {key: content[:-12] for key, content in s3.objects.items()}
    s3.fails = ReadTimeoutError(endpoint_url="https://s3")
    with pytest.raises(SourceUnavailable, match="Read timeout"):
        list(bucket(s3).lines("data/x.json.gz"))
    s3.fails = None
    with pytest.raises(SourceError, match="is damaged"):
        list(bucket(s3).lines("data/x.json.gz"))


@pytest.mark.parametrize(
    ("trouble", "kind", "told"),
    [
        (client_error("AccessDenied"), SourceError, "AccessDenied.*right to list and read"),
        (client_error("NoSuchBucket"), SourceError, "NoSuchBucket"),
        (client_error("SlowDown"), SourceUnavailable, "SlowDown"),
        (client_error("InternalError"), SourceUnavailable, "InternalError"),
        (client_error("503"), SourceUnavailable, "503"),
        (NoCredentialsError(), SourceError, "Set up AWS credentials"),
        (ReadTimeoutError(endpoint_url="https://s3"), SourceUnavailable, "Check the endpoint"),
    ],
)
def test_what_may_pass_is_told_apart(trouble: Exception, kind: type[SourceError], told: str) -> None:
    with pytest.raises(SourceError, match=told) as caught:
        Bucket.find(FakeS3({}, trouble), "s3://exports/mine")
    assert type(caught.value) is kind
