"""An HTTP proxy in front of a backend that injects faults of a network or a cluster, and counts them."""

from __future__ import annotations

import http.client
import json
import random
import select
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from tests.waiting import HANG_SECONDS

LOOPBACK = "127.0.0.1"
_POLL_SECONDS = 0.05
# Longest delay of a request that is applied after its client timed out.
_MAX_LATE_SECONDS = 3.0
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_HOP_BY_HOP = frozenset(("connection", "content-length", "keep-alive", "transfer-encoding"))
_OK, _TOO_LARGE, _TOO_MANY, _BAD_GATEWAY, _UNAVAILABLE = 200, 413, 429, 502, 503


class Fault(Enum):
    """Fault of a request."""

    TOO_MANY = "429"
    UNAVAILABLE = "503"
    BAD_GATEWAY = "502 with a page instead of JSON"
    SOME_TOO_MANY = "429 for some documents of a bulk"
    REQUEST_RESET = "reset within the request"
    REPLY_RESET = "reset within the reply"
    TRUNCATED = "truncated reply"
    REPLY_LOST = "reply lost after it was applied"
    HUNG = "hung"
    LATE = "applied after the client timed out"
    TOO_LARGE = "413"


# Faults that occur at random. Whether a request is too large depends on its size alone.
BY_CHANCE = tuple(fault for fault in Fault if fault is not Fault.TOO_LARGE)
# Faults that make a client wait for its timeout.
SLOW = (Fault.HUNG, Fault.LATE)


class Request(NamedTuple):
    """A request as it arrives: its fault is chosen before its body is read."""

    method: str
    path: str
    headers: Any
    length: int
    body: bytes = b""


class _Reply(NamedTuple):
    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes


def writes_or_reads_documents(request: Request) -> bool:
    """Whether it is a bulk request or a read of documents, the requests of a running worker."""
    return urlsplit(request.path).path.endswith(("/_bulk", "/_mget"))


@dataclass(frozen=True)
class Plan:
    """Faults to inject: each matching request has a fault with a probability, of one of the kinds.

    The response to a body larger than ``max_bytes`` is always 413.
    """

    kinds: Sequence[Fault] = ()
    probability: float = 0.0
    max_bytes: int | None = None
    applies_to: Callable[[Request], bool] = writes_or_reads_documents


@dataclass
class Happened:
    """Faults that occurred, and the largest request that passed. Threads update it under a lock."""

    faults: Counter[Fault] = field(default_factory=Counter)
    requests: int = 0
    held: int = 0
    """Requests that are delayed now."""
    max_body: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, fault: Fault) -> None:
        with self.lock:
            self.faults[fault] += 1

    @contextmanager
    def holding(self) -> Iterator[None]:
        with self.lock:
            self.held += 1
        try:
            yield
        finally:
            with self.lock:
                self.held -= 1

    def passed(self, request: Request) -> None:
        with self.lock:
            self.requests += 1
            self.max_body = max(self.max_body, request.length)


class Proxy:
    """Serves the backend at ``target`` on ``url``; ``plan`` may be replaced at any time."""

    def __init__(self, target: str, seed: int = 0) -> None:
        parts = urlsplit(target)
        self.target = (parts.hostname or LOOPBACK, parts.port or 80)
        self.plan = Plan()
        self.happened = Happened()
        self.closing = threading.Event()
        self._chance = random.Random(seed)
        self._chance_lock = threading.Lock()
        self._server = _Server((LOOPBACK, 0), _Handler)
        self._server.proxy = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(_POLL_SECONDS,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self._server.server_address[1]}"

    def heal(self) -> None:
        """Inject no more faults. Those of running requests may still occur."""
        self.plan = Plan()

    def close(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.close_connections()
        self._server.server_close()

    def choose(self, request: Request) -> Fault | None:
        """Choose the fault of a request."""
        plan = self.plan
        if not plan.applies_to(request):
            return None
        if plan.max_bytes is not None and request.length > plan.max_bytes:
            return Fault.TOO_LARGE
        possible = [kind for kind in plan.kinds if kind is not Fault.SOME_TOO_MANY or _is_bulk(request)]
        with self._chance_lock:
            faulty = bool(possible) and self._chance.random() < plan.probability
            return self._chance.choice(possible) if faulty else None

    def random(self) -> float:
        """A number between 0 and 1, from the proxy's seed."""
        with self._chance_lock:
            return self._chance.random()


class _Server(ThreadingHTTPServer):
    proxy: Proxy
    daemon_threads = False
    request_queue_size = 64

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._open_lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close without a shutdown, which would end the connection cleanly instead of resetting it."""
        with self._open_lock:
            self._open.discard(request)
        request.close()

    def close_connections(self) -> None:
        """Wake the threads that wait for a client's next request."""
        with self._open_lock:
            for request in self._open:
                with suppress(OSError):
                    request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that disconnect; any other error would show as a difference."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def setup(self) -> None:
        super().setup()
        self._upstream: http.client.HTTPConnection | None = None

    def finish(self) -> None:
        self._hang_up()
        with suppress(OSError):
            super().finish()

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""

    def _serve(self) -> None:
        proxy = self.server.proxy
        request = Request(self.command, self.path, self.headers, int(self.headers.get("Content-Length") or 0))
        fault = proxy.choose(request)
        with suppress(OSError, http.client.HTTPException):
            read = request.length // 2 if fault is Fault.REQUEST_RESET else request.length
            request = request._replace(body=self.rfile.read(read))
            if fault is None:
                proxy.happened.passed(request)
                self._answer(self._forward(request))
            elif _INJECTORS[fault](self, request):
                proxy.happened.count(fault)
            return
        # One side disconnected. Close the other side, as without a proxy.
        self.close_connection = True

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _serve  # noqa: N815

    def _reject(self, status: int, kind: str) -> bool:
        body = json.dumps({"error": {"type": kind, "reason": f"injected {status}"}, "status": status}).encode()
        self._answer(_Reply(status, [("Content-Type", "application/json")], body))
        return True

    def _bad_gateway(self, _: Request) -> bool:
        page = b"<html><body><h1>502 Bad Gateway</h1></body></html>"
        self._answer(_Reply(_BAD_GATEWAY, [("Content-Type", "text/html")], page))
        return True

    def _some_too_many(self, request: Request) -> bool:
        operations = list(_operations(request.body))
        rejected = {i for i in range(len(operations)) if self.server.proxy.random() < 0.5} or {0}
        taken = b"".join(lines for i, (_, lines) in enumerate(operations) if i not in rejected)
        items: Iterator[Any] = iter(())
        if taken:
            reply = self._forward(request._replace(body=taken))
            if reply.status != _OK:
                self._answer(reply)
                return False
            items = iter(json.loads(reply.body)["items"])
        error = {"type": "rejected_execution_exception", "reason": "injected 429"}
        merged = [
            {verb: {"status": _TOO_MANY, "error": error}} if i in rejected else next(items)
            for i, (verb, _) in enumerate(operations)
        ]
        body = json.dumps({"items": merged}).encode()
        self._answer(_Reply(_OK, [("Content-Type", "application/json")], body))
        return True

    def _reset(self, _: Request) -> bool:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self.close_connection = True
        return True

    def _reply_reset(self, request: Request) -> bool:
        return self._truncated(request) and self._reset(request)

    def _truncated(self, request: Request) -> bool:
        reply = self._forward(request)
        self._answer(reply, sent=len(reply.body) // 2)
        self.close_connection = True
        return True

    def _reply_lost(self, request: Request) -> bool:
        self._forward(request)
        self.close_connection = True
        return True

    def _hung(self, _: Request) -> bool:
        self.close_connection = True
        return self._client_timed_out()

    def _late(self, request: Request) -> bool:
        """Forward the request much later, as if its client was frozen or the network congested."""
        self.close_connection = True
        proxy = self.server.proxy
        with proxy.happened.holding():
            if not self._client_timed_out():
                return False
            proxy.closing.wait(proxy.random() * _MAX_LATE_SECONDS)
            self._forward(request)
        return True

    def _client_timed_out(self) -> bool:
        """Wait for the timeout of the client; False if the proxy closes first."""
        while not self.server.proxy.closing.is_set():
            readable, _, _ = select.select([self.connection], [], [], _POLL_SECONDS)
            if readable:
                return True
        return False

    def _forward(self, request: Request) -> _Reply:
        headers = {name: text for name, text in request.headers.items() if name.lower() not in _HOP_BY_HOP}
        if self._upstream is None:
            self._upstream = http.client.HTTPConnection(*self.server.proxy.target, timeout=HANG_SECONDS)
        try:
            self._upstream.request(request.method, request.path, request.body, headers)
            response = self._upstream.getresponse()
            return _Reply(response.status, response.getheaders(), response.read())
        except BaseException:
            self._hang_up()
            raise

    def _answer(self, reply: _Reply, sent: int | None = None) -> None:
        """Send a reply, or only the first ``sent`` bytes of its body."""
        self.send_response_only(reply.status)
        for name, text in reply.headers:
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, text)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body[:sent])
        self.wfile.flush()

    def _hang_up(self) -> None:
        upstream, self._upstream = self._upstream, None
        if upstream:
            upstream.close()


# Each returns whether the fault occurred.
_INJECTORS: dict[Fault, Callable[[_Handler, Request], bool]] = {
    Fault.TOO_MANY: lambda handler, _: handler._reject(_TOO_MANY, "circuit_breaking_exception"),
    Fault.UNAVAILABLE: lambda handler, _: handler._reject(_UNAVAILABLE, "cluster_block_exception"),
    Fault.TOO_LARGE: lambda handler, _: handler._reject(_TOO_LARGE, "content_too_long_exception"),
    Fault.BAD_GATEWAY: _Handler._bad_gateway,
    Fault.SOME_TOO_MANY: _Handler._some_too_many,
    Fault.REQUEST_RESET: _Handler._reset,
    Fault.REPLY_RESET: _Handler._reply_reset,
    Fault.TRUNCATED: _Handler._truncated,
    Fault.REPLY_LOST: _Handler._reply_lost,
    Fault.HUNG: _Handler._hung,
    Fault.LATE: _Handler._late,
}


def _is_bulk(request: Request) -> bool:
    return urlsplit(request.path).path.endswith("/_bulk")


def _operations(body: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield each operation of a bulk request: its verb and its lines."""
    lines = iter(body.split(b"\n")[:-1])
    for action in lines:
        [verb] = json.loads(action)
        yield verb, action + b"\n" + (b"" if verb == "delete" else next(lines) + b"\n")


@contextmanager
def proxy_to(target: str, seed: int = 0) -> Iterator[Proxy]:
    """Run a proxy during the block."""
    proxy = Proxy(target, seed)
    try:
        yield proxy
    finally:
        proxy.close()
