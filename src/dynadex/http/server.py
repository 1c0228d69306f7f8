"""An ASGI application on a socket, served by a thread of this process."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from dynadex.clock import SystemClock
from dynadex.errors import DynadexError

LOOPBACK = "127.0.0.1"


@contextmanager
def listening(port: int, host: str = LOOPBACK, option: str = "--port N") -> Iterator[socket.socket]:
    """Yield a listening socket, so that a port conflict is reported before anything starts. Port 0 is any free port.

    Raises DynadexError if the port cannot be bound; the hint names the ``option`` that selects another.
    """
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    with sock:
        try:
            sock.bind((host, port))
        except OSError as error:
            reason = str(error.strerror or error)
            raise DynadexError("serve on", f"{host}:{port}", reason, f"Choose another port with {option}.") from error
        sock.listen(128)
        yield sock


def url_of(sock: socket.socket) -> str:
    """Return the URL at which the socket listens."""
    host, port = sock.getsockname()
    return f"http://{host}:{port}"


@contextmanager
def serving(app: ASGIApp, sock: socket.socket) -> Iterator[None]:
    """Serve the application on the socket until the block ends."""
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="auto"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, name="service", daemon=True)
    thread.start()
    clock = SystemClock()
    while not server.started and thread.is_alive():
        clock.sleep(0.01)
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()
