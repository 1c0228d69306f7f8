"""The process that is ministack: ``python -m dynadex.local.ministack_child PORT PARENT_PID``.

ministack's own ``main`` is not used: it can only be told a port that was free a moment ago, writes a pid file,
and knows nothing of a parent. Here the port is bound first (0: any free one) and the bound socket handed over,
so nobody can take it in between, and its number is printed as a JSON line.
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
    """Serve until the parent is gone."""
    end_with_parent(parent_pid)
    try:
        listener = listen_socket(port)
    except OSError as error:
        sys.exit(f"Cannot listen on {LOOPBACK}:{port}: {error.strerror or error}")
    bound = str(listener.getsockname()[1])
    url = f"http://{LOOPBACK}:{bound}"
    print(json.dumps({"url": url}), flush=True)
    # Before the import: ministack reads its port while it is imported. The endpoint is for its Lambda workers.
    os.environ |= {"GATEWAY_PORT": bound, "AWS_ENDPOINT_URL": url}
    _serve(listener)


def _serve(listener: socket.socket) -> None:
    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    from ministack.app import app  # type: ignore[import-untyped]

    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    # As in ministack's own main. SDKs keep connections in a pool; hypercorn's 5 s would cut them at bad moments.
    config.keep_alive_timeout = 75
    asyncio.run(serve(app, config))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
