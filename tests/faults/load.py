"""A load of writes: a few keys are put, updated, deleted and inserted again, several times within a second."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.process.scene import Scene

_WRITERS = 3
_KEYS_EACH = 40
_MAX_BURST = 6
_MAX_PAUSE_SECONDS = 0.15


def is_rejected(item: dict[str, Any]) -> bool:
    """Whether the mapping rejects the document of an item: its difficulty is not a number."""
    return "S" in item.get("difficulty", {})


class WriteLoad:
    """Threads that write until `stop`. Each writes other keys: the table decides a race of two writers of one key."""

    def __init__(self, scene: Scene, seed: int, max_pause_seconds: float = _MAX_PAUSE_SECONDS) -> None:
        self.writes = 0
        self._scene = scene
        self._max_pause_seconds = max_pause_seconds
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._errors: list[Exception] = []
        self._threads = [
            threading.Thread(target=self._write, args=(writer, random.Random(f"{seed}/{writer}")))
            for writer in range(_WRITERS)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        if self._errors:
            raise self._errors[0]

    def _write(self, writer: int, chance: random.Random) -> None:
        try:
            while not self._stop.wait(chance.uniform(0, self._max_pause_seconds)):
                self._burst(f"key-{writer}-{chance.randrange(_KEYS_EACH)}", chance)
            # In every run, one item stays rejected, and one is fixed after it was rejected.
            for identity, last in (("rejected", _put_rejected), ("fixed", _put)):
                for operation in (_put_rejected, last):
                    self._do(operation, f"{identity}-{writer}", chance)
        except Exception as error:  # noqa: BLE001 - raised by stop
            self._errors.append(error)

    def _burst(self, key: str, chance: random.Random) -> None:
        """Write one key as fast as possible: mostly within the granularity of the stream."""
        for _ in range(chance.randint(1, _MAX_BURST)):
            [operation] = chance.choices((_put, _update, _delete, _put_rejected), (40, 25, 30, 5))
            self._do(operation, key, chance)

    def _do(self, operation: Callable[[Scene, str, random.Random], None], key: str, chance: random.Random) -> None:
        operation(self._scene, key, chance)
        with self._lock:
            self.writes += 1


def _put(scene: Scene, key: str, chance: random.Random) -> None:
    scene.put({"id": key, "title": f"Version {chance.random()}", "difficulty": chance.randrange(5)})


def _put_rejected(scene: Scene, key: str, chance: random.Random) -> None:
    scene.put({"id": key, "title": f"Version {chance.random()}", "difficulty": "beyond words"})


def _update(scene: Scene, key: str, chance: random.Random) -> None:
    scene.dynamodb.update_item(
        TableName=scene.name,
        Key={"id": {"S": key}},
        UpdateExpression="SET note_count = :n",
        ExpressionAttributeValues={":n": {"N": str(chance.randrange(10**6))}},
    )


def _delete(scene: Scene, key: str, _: random.Random) -> None:
    scene.delete(key)


@contextmanager
def writing(scene: Scene, seed: int, max_pause_seconds: float = _MAX_PAUSE_SECONDS) -> Iterator[WriteLoad]:
    """Write while the block runs."""
    load = WriteLoad(scene, seed, max_pause_seconds)
    load.start()
    try:
        yield load
    finally:
        load.stop()
