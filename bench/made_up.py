"""A table with as many items as are wanted, and a stream with one change for each, made of songs when it is asked.

It is a proxy before a table's endpoint, in a process of its own. A table on AWS takes no processor time and no memory
of this machine: neither does this one take any of the process that is measured, and little of anyone's. What it does
not make up is passed on.
"""

from __future__ import annotations

import http.client
import multiprocessing
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import orjson

from dynadex.document.typed_json import typed
from tests.songs import all_songs

_BEGAN, _A_SECOND = 1_700_000_000, 1000
_MAX_RECORDS = 1000


class MadeUpTable:
    """Item number ``n`` is song number ``n``, from the first again after the last, with an id of its own."""

    def __init__(self, items: int) -> None:
        self.items = items
        songs = (typed({name: value for name, value in song.items() if name != "id"})["M"] for song in all_songs())
        self._rest = [orjson.dumps(song)[1:] for song in songs]

    def item(self, number: int) -> bytes:
        """An item in typed JSON."""
        return b'{"id":{"S":"song/%012d"},%b' % (number, self._rest[number % len(self._rest)])

    def reply(self, operation: str, asked: Mapping[str, Any]) -> bytes | None:
        """What DynamoDB would answer; None to what is not made up."""
        if operation == "Scan":
            return self._scan(asked)
        if operation == "DescribeStream":
            shard = {"ShardId": "shardId-00000000000000000000-000000000000", "SequenceNumberRange": {}}
            shard["SequenceNumberRange"] = {"StartingSequenceNumber": _sequence_number(0)}
            described = {"StreamArn": asked["StreamArn"], "StreamStatus": "ENABLED", "Shards": [shard]}
            return orjson.dumps({"StreamDescription": described})
        if operation == "GetShardIterator":
            after = asked.get("SequenceNumber")
            return orjson.dumps({"ShardIterator": str(int(after) if after else 0)})
        if operation == "GetRecords":
            start = int(asked["ShardIterator"])
            end = min(self.items, start + min(asked.get("Limit", _MAX_RECORDS), _MAX_RECORDS))
            records = b",".join(map(self._record, range(start, end)))
            return b'{"NextShardIterator":"%d","Records":[%b]}' % (end, records)
        return None

    def _scan(self, asked: Mapping[str, Any]) -> bytes:
        segment, of = asked.get("Segment", 0), asked.get("TotalSegments", 1)
        start, end = (self.items * one // of for one in (segment, segment + 1))
        if "ExclusiveStartKey" in asked:
            start = int(asked["ExclusiveStartKey"]["id"]["S"].removeprefix("song/")) + 1
        last = min(end, start + asked.get("Limit", end))
        more = b""
        if last < end:
            more = b',"LastEvaluatedKey":{"id":{"S":"song/%012d"}}' % (last - 1)
        return b'{"Count":%d,"Items":[%b]%b}' % (last - start, b",".join(map(self.item, range(start, last))), more)

    def _record(self, number: int) -> bytes:
        return (
            b'{"eventID":"%d","eventName":"INSERT","eventVersion":"1.1","eventSource":"aws:dynamodb",'
            b'"awsRegion":"us-east-1","dynamodb":{"ApproximateCreationDateTime":%d,"Keys":{"id":{"S":"song/%012d"}},'
            b'"NewImage":%b,"SequenceNumber":"%b","SizeBytes":400,"StreamViewType":"NEW_IMAGE"}}'
        ) % (number, _BEGAN + number // _A_SECOND, number, self.item(number), _sequence_number(number + 1).encode())


def _sequence_number(number: int) -> str:
    return f"{number:021d}"


class _Proxy(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body of a reply go out together.
    wbufsize = -1
    endpoint = ""
    name = ""
    table: MadeUpTable

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        operation = self.headers["X-Amz-Target"].split(".")[-1]
        asked = orjson.loads(body)
        ours = asked.get("TableName", self.name) == self.name
        content = self.table.reply(operation, asked) if ours else None
        status = 200
        headers: Sequence[tuple[str, str]] = [("Content-Type", "application/x-amz-json-1.0")]
        if content is None:
            status, headers, content = self._passed_on(body)
            if operation == "DescribeTable" and ours and status == 200:
                described = orjson.loads(content)
                described["Table"]["ItemCount"] = self.table.items
                content = orjson.dumps(described)
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("x-amz-crc32", str(zlib.crc32(content)))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _passed_on(self, body: bytes) -> tuple[int, Sequence[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection(urlsplit(self.endpoint).netloc, timeout=60)
        try:
            headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
            connection.request("POST", self.path, body, headers)
            answer = connection.getresponse()
            kept = [(name, value) for name, value in answer.getheaders() if name.lower() == "content-type"]
            return answer.status, kept, answer.read()
        finally:
            connection.close()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


def _serve(endpoint: str, name: str, items: int, port: Any) -> None:
    handler = type("Proxy", (_Proxy,), {"endpoint": endpoint, "name": name, "table": MadeUpTable(items)})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    port.send(server.server_address[1])
    server.serve_forever()


@contextmanager
def made_up_table(endpoint: str, name: str, items: int) -> Iterator[str]:
    """The URL of a proxy before ``endpoint``, where table ``name``, which must exist, holds so many items."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    server = context.Process(target=_serve, args=(endpoint, name, items, theirs), daemon=True)
    server.start()
    theirs.close()
    try:
        yield f"http://127.0.0.1:{ours.recv()}"
    finally:
        server.terminate()
        server.join()
