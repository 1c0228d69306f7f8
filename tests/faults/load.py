"""A running write load: the same few keys put, updated, deleted and inserted again, several times within a second."""

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


def is_refused(item: dict[str, Any]) -> bool:
    """Whether the mapping refuses what the item becomes: its difficulty is no number."""
    return "S" in item.get("difficulty", {})


class WriteLoad:
    """Threads that write until told to stop. Each has keys of its own: two writers' race is the table's affair."""

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
            # Whatever chance did: one that stays refused, and one that was refused and is mended.
            for identity, last in (("refused", _put_refused), ("mended", _put)):
                for operation in (_put_refused, last):
                    self._do(operation, f"{identity}-{writer}", chance)
        except Exception as error:  # noqa: BLE001 - raised by stop
            self._errors.append(error)

    def _burst(self, key: str, chance: random.Random) -> None:
        """Writes of one key, as fast as they go: mostly within the same second of the stream's clock."""
        for _ in range(chance.randint(1, _MAX_BURST)):
            [operation] = chance.choices((_put, _update, _delete, _put_refused), (40, 25, 30, 5))
            self._do(operation, key, chance)

    def _do(self, operation: Callable[[Scene, str, random.Random], None], key: str, chance: random.Random) -> None:
        operation(self._scene, key, chance)
        with self._lock:
            self.writes += 1


def _put(scene: Scene, key: str, chance: random.Random) -> None:
    scene.put({"id": key, "title": f"Version {chance.random()}", "difficulty": chance.randrange(5)})


def _put_refused(scene: Scene, key: str, chance: random.Random) -> None:
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
    """A load for as long as the block runs."""
    load = WriteLoad(scene, seed, max_pause_seconds)
    load.start()
    try:
        yield load
    finally:
        load.stop()
