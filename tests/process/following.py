"""A worker in a thread of the test."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager, suppress
from dataclasses import replace

from dynadex import Sync
from dynadex.clock import Stopping
from dynadex.settings import RuntimeSettings
from dynadex.worker.follow import follow
from tests.process.background import background


def worker(sync: Sync, settings: RuntimeSettings) -> AbstractContextManager[None]:
    """Follow the table of the sync until the block ends. Raises the error of a worker that ended earlier."""

    def work(stop: threading.Event) -> None:
        with suppress(Stopping):
            follow(sync, replace(settings, worker_lease_seconds=1.0), stop)

    return background(work)
