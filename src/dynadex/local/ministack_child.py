"""The process that is ministack: ``python -m dynadex.local.ministack_child PORT PARENT_PID``.

ministack's own ``main`` is not used: it can only be told a port that was free a moment ago, writes a pid file,
and knows nothing of a parent. Here the port is bound first (0: any free one) and the bound socket handed over,
so nobody can take it in between, and its number is printed as a JSON line.
"""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import socket
import sys
import threading
from typing import NoReturn

from dynadex.local.probe import LOOPBACK, listen_socket

_PARENT_POLL_SECONDS = 1.0


def main(port: int, parent_pid: int) -> None:
    """Serve until the parent is gone."""
    _end_with_parent(parent_pid)
    try:
        listener = listen_socket(port)
    except OSError as error:
        sys.exit(f"cannot listen on {LOOPBACK}:{port}: {error.strerror or error}")
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


def _end_with_parent(parent_pid: int) -> None:
    # Off descriptor 0, where whatever ministack starts could inherit it and read the pipe in our place.
    pipe = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    threading.Thread(target=_watch, args=(pipe, parent_pid), daemon=True, name="parent watch").start()


def _watch(pipe: int, parent_pid: int) -> None:
    # The pipe tells at once. The parent's id is for a pipe that somebody forked off the parent keeps open.
    while os.getppid() == parent_pid:
        readable, _, _ = select.select([pipe], [], [], _PARENT_POLL_SECONDS)
        if readable and not os.read(pipe, 1):
            break
    _end_group()


def _end_group() -> NoReturn:
    # All it holds is in memory, so there is nothing to finish; Lambda workers in its group end with it.
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
