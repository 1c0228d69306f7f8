"""A TCP relay in front of a backend that can cut, restore and freeze its connections, and lose one response."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

_CHUNK = 65536
_POLL_SECONDS = 0.05
LOOPBACK = "127.0.0.1"


class Relay:
    """Serves the backend at ``target`` on ``url`` (both on loopback)."""

    def __init__(self, target: str) -> None:
        self._target = urlsplit(target).port
        self._port = 0
        self._listener: socket.socket | None = None
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._closed = threading.Event()
        self._flowing = threading.Event()
        self._flowing.set()
        self._lock = threading.Lock()
        self._lose_after: bytes | None = None
        self.lost = threading.Event()
        self.held_up = False
        self.restore()

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self._port}"

    def cut(self) -> None:
        """Refuse connections from now on, and reset the open ones."""
        with self._lock:
            listener, self._listener = self._listener, None
            sockets, self._sockets = self._sockets, []
        assert listener is not None
        # A shutdown, unlike a close, wakes the thread that waits for the same socket.
        for connection in (listener, *sockets):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        listener.close()

    def restore(self) -> None:
        """Accept connections again, on the same port."""
        listener = socket.create_server((LOOPBACK, self._port))
        self._port = listener.getsockname()[1]
        with self._lock:
            self._listener = listener
        self._run(self._accept, listener)

    def freeze(self) -> None:
        """Accept connections from now on, but forward nothing."""
        self._flowing.clear()

    def thaw(self) -> None:
        """Forward everything that was held up."""
        self._flowing.set()

    def lose_answer_to(self, request: bytes) -> None:
        """Forward the next request that contains these bytes, and reset its connection instead of responding."""
        self.lost.clear()
        self._lose_after = request

    def close(self) -> None:
        self._closed.set()
        self.thaw()
        if self._listener is not None:
            self.cut()
        for thread in self._threads:
            thread.join()

    def _run(self, target: object, *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                try:
                    far = socket.create_connection((LOOPBACK, self._target))
                except OSError:
                    near.close()
                    continue
                with self._lock:
                    if self._listener is not listener:
                        return _close(near, far)
                    self._sockets += [near, far]
                self._run(self._relay, near, far)

    def _relay(self, near: socket.socket, far: socket.socket) -> None:
        losing = False
        with near, far, suppress(OSError):
            while not self._closed.is_set():
                readable, _, _ = select.select([near, far], [], [], _POLL_SECONDS)
                for source in readable:
                    data = source.recv(_CHUNK)
                    self.held_up = not self._flowing.is_set()
                    self._flowing.wait()
                    if not data or (source is far and losing):
                        self._mark_lost(losing)
                        return
                    losing = losing or (source is near and self._is_to_be_lost(data))
                    (far if source is near else near).sendall(data)

    def _is_to_be_lost(self, data: bytes) -> bool:
        with self._lock:
            matches = self._lose_after is not None and self._lose_after in data
            if matches:
                self._lose_after = None
        return matches

    def _mark_lost(self, losing: bool) -> None:
        if losing:
            self.lost.set()


def _close(*sockets: socket.socket) -> None:
    for connection in sockets:
        connection.close()


@contextmanager
def relay_to(target: str) -> Iterator[Relay]:
    """Run a relay during the block."""
    relay = Relay(target)
    try:
        yield relay
    finally:
        relay.close()
