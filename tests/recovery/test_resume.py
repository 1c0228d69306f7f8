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
from dynadex.state.refill_state import RefillState
from dynadex.state.state_table import StateTable
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


def items_by_segment(scene: Scene) -> dict[int, int]:
    """How many items of each segment are acknowledged; of all segments, once the refill has begun."""
    state = StateTable(scene.dynamodb, f"{scene.name}-dynadex", scene.name)
    if not state.exists():
        return dict.fromkeys(range(SEGMENTS), 0)
    refill = RefillState(state)
    plan = refill.plan()
    found = refill.segments(plan["StartedAt"]) if plan else {}
    return {one: int(found[one].counts.get("items", 0)) if one in found else 0 for one in range(SEGMENTS)}


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
    page_items = len(songs) // PAGES
    chance, kills = random.Random(4), scaled(10, least=3)
    variables = scene.variables | {
        "DYNADEX_DYNAMODB_URL": proxy.url,
        "DYNADEX_REFILL_PAGE_SIZE": str(page_items),
        "DYNADEX_DEAD_LETTERS": f"file:{scene.dead_letters}",
    }
    arguments = ("refill", REFERENCE, "--segments", str(SEGMENTS), "--resume")
    with commands_in(scene.directory, **variables) as commands:
        for _ in range(kills):
            refill = commands.start(*arguments)
            before = items_by_segment(scene)
            # Each gets a little further, so that it is not the same pages that every kill meets: one is written, and
            # the next read meanwhile.
            while refill.is_alive() and not all(
                items >= before.get(segment, 0) + 2 * page_items for segment, items in items_by_segment(scene).items()
            ):
                time.sleep(0.005)
            time.sleep(chance.uniform(0, 0.1))
            assert refill.is_alive(), f"it was done before it was killed often enough\n{refill}"
            refill.kill()
        last = commands.start(*arguments)
        assert last.wait(120) == 0, str(last)
        last.wait_for_line("backfill complete")
    assert scene.differences() == []
    assert max(scans.pages.values()) <= 2, scans.pages.most_common(5)
    assert scans.pages.total() <= len(scans.pages) + 2 * kills * SEGMENTS
    figures.kills += kills
    figures.refills += 1
    tell(f"{kills} kills: {len(scans.pages)} pages, {scans.pages.total() - len(scans.pages)} of them scanned twice")
