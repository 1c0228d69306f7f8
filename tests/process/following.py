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
    """Follows the table of the sync until the block ends; what ended it too early is raised."""

    def work(stop: threading.Event) -> None:
        with suppress(Stopping):
            follow(sync, replace(settings, worker_lease_seconds=1.0), stop)

    return background(work)
