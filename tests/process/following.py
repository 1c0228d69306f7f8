"""A worker in a thread of the test."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from dynadex import Sync
from dynadex.run.follow import follow
from dynadex.run.worker import Stopping
from dynadex.settings import Settings


@contextmanager
def worker(sync: Sync, settings: Settings) -> Iterator[None]:
    """Follows the table of the sync until the block ends; what ended it too early is raised."""
    stop, failure = threading.Event(), list[BaseException]()

    def work() -> None:
        try:
            with suppress(Stopping):
                follow(sync, replace(settings, lease_seconds=1.0), stop, lambda _: None)
        except BaseException as error:  # noqa: BLE001 - raised below
            failure.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    if failure:
        raise failure[0]
