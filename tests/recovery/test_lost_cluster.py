"""The search cluster is lost with all its data: one command restores search."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dynadex.local.stack import LocalStack
from dynadex.testing.opensearch import OpenSearchNode
from tests.process.processes import commands_in
from tests.process.scene import REFERENCE, Scene
from tests.recovery.conftest import SCALE, scaled
from tests.recovery.figures import Figures
from tests.songs import all_songs


@contextmanager
def cluster_to_lose(opensearch_url: str, home: Path) -> Iterator[tuple[str, Callable[[Scene], None]]]:
    """A cluster, and a function that deletes its data: it wipes the node or, in the short run, deletes the index."""
    if SCALE < 1:
        yield opensearch_url, lambda scene: scene.opensearch.indices.delete(index=f"{scene.name}-*")
        return
    with OpenSearchNode(home) as node:

        def lose(_: Scene) -> None:
            node.kill()
            node.wipe()
            node.start()

        yield node.url, lose


def test_one_command_restores_a_lost_cluster(
    stack: LocalStack, opensearch_url: str, tmp_path: Path, figures: Figures, print_line: Callable[[str], None]
) -> None:
    with cluster_to_lose(opensearch_url, tmp_path / "node") as (url, lose):
        (tmp_path / "scene").mkdir()
        scene = Scene(tmp_path / "scene", "lost", stack.endpoints.dynamodb, url)
        scene.create_table()
        songs = all_songs()[: scaled(13_925, min_count=600)]
        scene.load(songs)
        with commands_in(scene.directory, **scene.variables) as commands:
            worker = commands.start("run", REFERENCE)
            scene.await_count(len(songs))
            assert worker.stop() == 0
            lose(scene)
            assert scene.count() == 0
            started_at = time.monotonic()
            refill = commands.start("refill", REFERENCE)
            assert refill.wait() == 0, str(refill)
            seconds = (time.monotonic() - started_at) / len(songs) * 10_000
            assert scene.count() == len(songs)
            worker = commands.start("run", REFERENCE)
            worker.wait_for_line("reading the stream as worker")
            scene.put({"id": "after", "title": "After the loss"})
            scene.await_count(len(songs) + 1)
        assert scene.differences() == []
        scene.close()
    figures.refills += 1
    figures.recovery_seconds_per_10_000 = seconds
    print_line(f"cluster lost and refilled: {seconds:.1f} s per 10,000 items, the command's start included")
