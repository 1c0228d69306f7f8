"""Entry point of the ministack process: ``python -m dynadex.local.ministack_child PORT PARENT_PID``.

ministack's own ``main`` takes only a port number, which another process could bind first; it writes a pid file, and it
does not watch its parent. This one binds the port before it starts ministack (0: any free port), passes the bound
socket on, and prints the URL as a JSON line.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys

from dynadex.local.parent import end_with_parent
from dynadex.local.probe import LOOPBACK, listen_socket


def main(port: int, parent_pid: int) -> None:
    """Serve until the parent process ends."""
    end_with_parent(parent_pid)
    try:
        listener = listen_socket(port)
    except OSError as error:
        sys.exit(f"Cannot listen on {LOOPBACK}:{port}: {error.strerror or error}.")
    bound = str(listener.getsockname()[1])
    url = f"http://{LOOPBACK}:{bound}"
    print(json.dumps({"url": url}), flush=True)
    # ministack reads its port when it is imported. Its Lambda workers use the endpoint.
    os.environ |= {"GATEWAY_PORT": bound, "AWS_ENDPOINT_URL": url}
    _serve(listener)


def _serve(listener: socket.socket) -> None:
    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    from ministack.app import app  # type: ignore[import-untyped]

    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    # As in ministack's own main: with hypercorn's default of 5 s, pooled connections of SDKs close during requests.
    config.keep_alive_timeout = 75
    asyncio.run(serve(app, config))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
