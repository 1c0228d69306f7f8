"""A refill that is killed again and again, and goes on each time where it was."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dynadex.local.stack import LocalStack
from tests.faults.proxy import Happened, Proxy, Request
from tests.process.processes import commands_in
from tests.process.scene import REFERENCE, Scene
from tests.recovery.conftest import scaled
from tests.recovery.figures import Figures
from tests.songs import all_songs

SEGMENTS = 2
# So many pages that every kill meets others.
PAGES = 56


class Scans(Happened):
    """Counts how often each page was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.pages: Counter[str] = Counter()

    def passed(self, request: Request) -> None:
        super().passed(request)
        if request.headers.get("X-Amz-Target", "").endswith(".Scan"):
            asked = json.loads(request.body)
            with self.lock:
                self.pages[json.dumps([asked.get("Segment"), asked.get("ExclusiveStartKey")], sort_keys=True)] += 1


@pytest.fixture
def proxy(stack: LocalStack) -> Iterator[Proxy]:
    made = Proxy(stack.endpoints.dynamodb)
    made.happened = Scans()
    yield made
    made.close()


def test_killed_at_random_and_resumed(
    stack: LocalStack,
    proxy: Proxy,
    opensearch_url: str,
    tmp_path: Path,
    figures: Figures,
    tell: Callable[[str], None],
) -> None:
    scene = Scene(tmp_path, "resumed", stack.endpoints.dynamodb, opensearch_url)
    scene.create_table()
    songs = all_songs()[: scaled(13_925, least=2_000)]
    scene.load(songs)
    scans = proxy.happened
    assert isinstance(scans, Scans)
    chance, kills = random.Random(4), scaled(10, least=4)
    variables = scene.variables | {
        "DYNADEX_DYNAMODB_URL": proxy.url,
        "DYNADEX_PAGE_ITEMS": str(len(songs) // PAGES),
        "DYNADEX_DEAD_LETTERS": f"file:{scene.dead_letters}",
    }
    arguments = ("refill", REFERENCE, "--segments", str(SEGMENTS), "--resume")
    with commands_in(scene.directory, **variables) as commands:
        for _ in range(kills):
            refill = commands.start(*arguments)
            before = scans.pages.total()
            # Each gets a little further, so that it is not the same page that every kill meets.
            while refill.is_alive() and scans.pages.total() < before + 2 * SEGMENTS:
                time.sleep(0.005)
            time.sleep(chance.uniform(0, 0.1))
            assert refill.is_alive(), f"it was done before it was killed often enough\n{refill}"
            refill.kill()
        last = commands.start(*arguments)
        assert last.wait(120) == 0, str(last)
        last.wait_for_line("refill complete")
    assert scene.differences() == []
    assert max(scans.pages.values()) <= 2, scans.pages.most_common(5)
    assert scans.pages.total() <= len(scans.pages) + kills * SEGMENTS
    figures.kills += kills
    figures.refills += 1
    tell(f"{kills} kills: {len(scans.pages)} pages, {scans.pages.total() - len(scans.pages)} of them scanned twice")
