"""A synthetic table with any number of items, and a stream with one change for each, generated from songs on request.

It is a proxy for a DynamoDB endpoint that runs in a separate process, so that it takes no time or memory of the process
under measurement, like a table on AWS. It forwards requests for which it has no generated data.
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

_START_SECONDS, _CHANGES_PER_SECOND = 1_700_000_000, 1000
_MAX_RECORDS = 1000


class SyntheticTable:
    """Item number ``n`` is song number ``n``, starting over after the last song, with a unique id."""

    def __init__(self, items: int) -> None:
        self.items = items
        songs = (typed({name: value for name, value in song.items() if name != "id"})["M"] for song in all_songs())
        self._rest = [orjson.dumps(song)[1:] for song in songs]

    def item(self, number: int) -> bytes:
        """Return an item in typed JSON."""
        return b'{"id":{"S":"song/%012d"},%b' % (number, self._rest[number % len(self._rest)])

    def reply(self, operation: str, request: Mapping[str, Any]) -> bytes | None:
        """Return the response of DynamoDB; None if the request must be forwarded."""
        if operation == "Scan":
            return self._scan(request)
        if operation == "DescribeStream":
            shard = {"ShardId": "shardId-00000000000000000000-000000000000", "SequenceNumberRange": {}}
            shard["SequenceNumberRange"] = {"StartingSequenceNumber": _sequence_number(0)}
            described = {"StreamArn": request["StreamArn"], "StreamStatus": "ENABLED", "Shards": [shard]}
            return orjson.dumps({"StreamDescription": described})
        if operation == "GetShardIterator":
            after = request.get("SequenceNumber")
            return orjson.dumps({"ShardIterator": str(int(after) if after else 0)})
        if operation == "GetRecords":
            start = int(request["ShardIterator"])
            end = min(self.items, start + min(request.get("Limit", _MAX_RECORDS), _MAX_RECORDS))
            records = b",".join(map(self._record, range(start, end)))
            return b'{"NextShardIterator":"%d","Records":[%b]}' % (end, records)
        return None

    def _scan(self, request: Mapping[str, Any]) -> bytes:
        segment, total = request.get("Segment", 0), request.get("TotalSegments", 1)
        start, end = (self.items * boundary // total for boundary in (segment, segment + 1))
        if "ExclusiveStartKey" in request:
            start = int(request["ExclusiveStartKey"]["id"]["S"].removeprefix("song/")) + 1
        last = min(end, start + request.get("Limit", end))
        more = b""
        if last < end:
            more = b',"LastEvaluatedKey":{"id":{"S":"song/%012d"}}' % (last - 1)
        return b'{"Count":%d,"Items":[%b]%b}' % (last - start, b",".join(map(self.item, range(start, last))), more)

    def _record(self, number: int) -> bytes:
        return (
            b'{"eventID":"%d","eventName":"INSERT","eventVersion":"1.1","eventSource":"aws:dynamodb",'
            b'"awsRegion":"us-east-1","dynamodb":{"ApproximateCreationDateTime":%d,"Keys":{"id":{"S":"song/%012d"}},'
            b'"NewImage":%b,"SequenceNumber":"%b","SizeBytes":400,"StreamViewType":"NEW_IMAGE"}}'
        ) % (
            number,
            _START_SECONDS + number // _CHANGES_PER_SECOND,
            number,
            self.item(number),
            _sequence_number(number + 1).encode(),
        )


def _sequence_number(number: int) -> str:
    return f"{number:021d}"


class _Proxy(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Buffer responses, so that head and body are sent together.
    wbufsize = -1
    endpoint = ""
    name = ""
    table: SyntheticTable

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        operation = self.headers["X-Amz-Target"].split(".")[-1]
        request = orjson.loads(body)
        is_own_table = request.get("TableName", self.name) == self.name
        content = self.table.reply(operation, request) if is_own_table else None
        status = 200
        headers: Sequence[tuple[str, str]] = [("Content-Type", "application/x-amz-json-1.0")]
        if content is None:
            status, headers, content = self._forward(body)
            if operation == "DescribeTable" and is_own_table and status == 200:
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

    def _forward(self, body: bytes) -> tuple[int, Sequence[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection(urlsplit(self.endpoint).netloc, timeout=60)
        try:
            headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
            connection.request("POST", self.path, body, headers)
            response = connection.getresponse()
            forwarded = [(name, value) for name, value in response.getheaders() if name.lower() == "content-type"]
            return response.status, forwarded, response.read()
        finally:
            connection.close()

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


def _serve(endpoint: str, name: str, items: int, port: Any) -> None:
    handler = type("Proxy", (_Proxy,), {"endpoint": endpoint, "name": name, "table": SyntheticTable(items)})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    port.send(server.server_address[1])
    server.serve_forever()


@contextmanager
def synthetic_table(endpoint: str, name: str, items: int) -> Iterator[str]:
    """Yield the URL of a proxy for ``endpoint`` in which the existing table ``name`` has this number of items."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe()
    server = context.Process(target=_serve, args=(endpoint, name, items, sender), daemon=True)
    server.start()
    sender.close()
    try:
        yield f"http://127.0.0.1:{receiver.recv()}"
    finally:
        server.terminate()
        server.join()
