"""Probe URLs and ports: whether a backend responds, and whether a port is free."""

from __future__ import annotations

import errno
import os
import socket
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

LOOPBACK = "127.0.0.1"
_TIMEOUT_SECONDS = 3.0


def why_unresponsive(url: str, path: str = "/") -> str | None:
    """Return why no usable backend responds at the URL, or None if one does.

    Any status below 500 counts as a response, because many backends reject requests without credentials, except 408:
    OpenSearch returns it while its shards are starting.
    """
    parts = urlsplit(url)
    try:
        host, port = parts.hostname, parts.port
    except ValueError as error:
        return str(error)
    if parts.scheme not in ("http", "https") or not host:
        return "it is not an http or https URL"
    connection = (HTTPSConnection if parts.scheme == "https" else HTTPConnection)(host, port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
    except (OSError, HTTPException) as error:
        return str(error) or type(error).__name__
    finally:
        connection.close()
    unusable = response.status >= 500 or response.status == 408
    return f"it responded with {response.status} {response.reason}" if unusable else None


def why_unusable(port: int) -> str | None:
    """Return why this process cannot listen on the loopback port, or None if it can."""
    if not 0 < port < 65536:
        return "a port is a number from 1 to 65535"
    # Connect first: BSD allows binding 127.0.0.1 while another process listens on 0.0.0.0, whose clients it then takes.
    with socket.socket() as client:
        client.settimeout(_TIMEOUT_SECONDS)
        if client.connect_ex((LOOPBACK, port)) == 0:
            return os.strerror(errno.EADDRINUSE)
    try:
        listen_socket(port).close()
    except OSError as error:
        return error.strerror or str(error)
    return None


def listen_socket(port: int) -> socket.socket:
    """Return a socket bound to the loopback port (0: any free port), not yet listening; raise OSError if taken."""
    listener = socket.socket()
    try:
        # Connections of a previous stack may remain in TIME_WAIT; they must not block its port.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((LOOPBACK, port))
    except OSError:
        listener.close()
        raise
    return listener
