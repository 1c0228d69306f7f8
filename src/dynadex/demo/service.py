"""Worker, HTTP service and live view of one Sync, side by side in this process: what a demo runs for each index."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

from dynadex.demo.live_view import LiveView
from dynadex.http.app import HttpOptions, create_app
from dynadex.http.auth import Auth
from dynadex.http.server import serving, url_of
from dynadex.index.aliases import is_unfilled
from dynadex.runtime import Runtime, connect
from dynadex.settings import RuntimeSettings
from dynadex.state.lag import StateLag
from dynadex.sync import Sync
from dynadex.worker.follow import BatchObserver, follow

_log = logging.getLogger(__name__)

TOKEN_SECONDS = 12 * 3600.0
# A rebuild waits for it once; on one machine no batch takes as long as on Lambda.
_MAX_INVOCATION_SECONDS = "10"


@dataclass(frozen=True, slots=True)
class Service:
    """A worker and a service that run."""

    runtime: Runtime
    url: str
    _failure: list[BaseException]

    def check(self) -> None:
        """Raise what ended the worker, if it has ended."""
        if self._failure:
            raise self._failure[0]

    def fill(self) -> None:
        """Refill the index if it was created for a table that held items. Raises as ``refill`` does."""
        from dynadex.refill.refill import RefillOptions, refill

        runtime = self.runtime
        if is_unfilled(runtime.index, runtime.sync.index):
            done = refill(runtime, RefillOptions(), threading.Event())
            _log.info(f"filled: {done.progress.items:,} items", extra={"items": done.progress.items})


def local_settings(**overrides: Any) -> RuntimeSettings:
    """Settings of this process's environment for a worker on this machine, see ``Settings.from_environment``."""
    return RuntimeSettings.from_environment(
        {"DYNADEX_MAX_BATCH_SECONDS": _MAX_INVOCATION_SECONDS, **os.environ}, **overrides
    )


@contextmanager
def running(
    sync: Sync,
    settings: RuntimeSettings,
    sock: socket.socket,
    auth: Auth,
    region: str | None = None,
) -> Iterator[Service]:
    """Follow the table and answer on the socket, until the block ends. The index is made if there is none.

    ``region`` is told with every answer. Raises DynadexError when table or cluster cannot be used.
    """
    runtime = connect(sync, settings)
    runtime.ensure_index()
    live = LiveView(runtime)
    lag_source = StateLag(runtime.state(), runtime.clock, has_worker=True)
    options = HttpOptions(
        auth=auth,
        # Behind the router of the regions, all clients have the router's address.
        max_client_requests_per_second=None if region else settings.max_client_requests_per_second,
        cors_origins=settings.origins,
        region=region,
        lag_source=lag_source,
        max_ready_lag_seconds=settings.max_ready_lag_seconds,
        timing=settings.timing,
        extra_routes=live.routes(lag_source, auth),
    )
    app = create_app(sync, runtime.index, runtime.table, runtime.description.schema, options)
    with _worker(sync, settings, live.feed) as failure, serving(app, sock), closing(live):
        yield Service(runtime, url_of(sock), failure)


@contextmanager
def _worker(sync: Sync, settings: RuntimeSettings, observer: BatchObserver) -> Iterator[list[BaseException]]:
    """The worker in a thread; what ended it too early is put into the list."""
    stop, failure = threading.Event(), list[BaseException]()

    def work() -> None:
        try:
            follow(sync, settings, stop, observer=observer)
        except BaseException as error:  # noqa: BLE001 - handed to the main thread
            failure.append(error)

    thread = threading.Thread(target=work, name="worker", daemon=True)
    thread.start()
    try:
        yield failure
    finally:
        stop.set()
        thread.join()
