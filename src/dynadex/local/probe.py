"""Does something answer there? Is this port free?"""

from __future__ import annotations

import errno
import os
import socket
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

LOOPBACK = "127.0.0.1"
_TIMEOUT_SECONDS = 3.0


def why_silent(url: str, path: str = "/") -> str | None:
    """Why nothing usable answers at the URL, or None when something does.

    Any status below 500 is an answer: without credentials, many backends refuse, but they are there.
    """
    parts = urlsplit(url)
    try:
        host, port = parts.hostname, parts.port
    except ValueError as error:
        return str(error)
    if parts.scheme not in ("http", "https") or not host:
        return "it is no http or https URL"
    connection = (HTTPSConnection if parts.scheme == "https" else HTTPConnection)(host, port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
    except (OSError, HTTPException) as error:
        return str(error) or type(error).__name__
    finally:
        connection.close()
    return f"it answered {answer.status} {answer.reason}" if answer.status >= 500 else None


def why_unusable(port: int) -> str | None:
    """Why this process cannot listen on the loopback port, or None when it can."""
    if not 0 < port < 65536:
        return "a port is a number from 1 to 65535"
    # Asked first, as BSD lets one bind 127.0.0.1 next to somebody's 0.0.0.0 and then takes its callers away.
    with socket.socket() as caller:
        caller.settimeout(_TIMEOUT_SECONDS)
        if caller.connect_ex((LOOPBACK, port)) == 0:
            return os.strerror(errno.EADDRINUSE)
    try:
        listen_socket(port).close()
    except OSError as error:
        return error.strerror or str(error)
    return None


def listen_socket(port: int) -> socket.socket:
    """A socket bound to the loopback port (0: any free one), not yet listening; raises OSError."""
    listener = socket.socket()
    try:
        # Connections of a stack that just ended linger in TIME_WAIT; they must not keep its port from the next.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((LOOPBACK, port))
    except OSError:
        listener.close()
        raise
    return listener
