"""A backfill that is killed repeatedly, and resumes at its position."""

from __future__ import annotations

import json
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from dynadex.local.stack import LocalStack
from dynadex.state.refill_state import RefillState
from dynadex.state.state_table import StateTable
from tests.faults.proxy import Happened, Proxy, Request
from tests.process.processes import Running, commands_in
from tests.process.scene import REFERENCE, Scene
from tests.recovery.conftest import scaled
from tests.recovery.figures import Figures
from tests.songs import all_songs
from tests.waiting import let_pass, wait_for

SEGMENTS = 2
# Enough pages that each kill hits other pages, and that no segment is complete before the last kill.
PAGES, PAGES_BETWEEN_KILLS = 100, 4


class Scans(Happened):
    """Counts the requests for each page, and lets each process read only some pages of each segment."""

    def __init__(self) -> None:
        super().__init__()
        self.pages: Counter[str] = Counter()
        self._process = 0
        self._allowed = dict.fromkeys(range(SEGMENTS), 0)
        self._changed = threading.Condition(self.lock)

    def allow(self, pages: int) -> None:
        """Let the next process read this number of pages of each segment. Drop requests of the process before it."""
        with self._changed:
            self._process += 1
            self._allowed = dict.fromkeys(self._allowed, pages)
            self._changed.notify_all()

    def passed(self, request: Request) -> None:
        super().passed(request)
        if request.headers.get("X-Amz-Target", "").endswith(".Scan"):
            scan = json.loads(request.body)
            segment = scan.get("Segment", 0)
            with self._changed:
                process = self._process
                self._changed.wait_for(lambda: self._allowed[segment] > 0 or self._process != process)
                if self._process != process:
                    raise ConnectionAbortedError("the process that sent the request was killed")
                self._allowed[segment] -= 1
                self.pages[json.dumps([scan.get("Segment"), scan.get("ExclusiveStartKey")], sort_keys=True)] += 1


@pytest.fixture
def proxy(stack: LocalStack) -> Iterator[Proxy]:
    made = Proxy(stack.endpoints.dynamodb)
    made.happened = Scans()
    yield made
    made.close()


def items_by_segment(scene: Scene) -> dict[int, int]:
    """Number of acknowledged items of each segment."""
    state = StateTable(scene.dynamodb, f"{scene.name}-dynadex", scene.name)
    if not state.exists():
        return dict.fromkeys(range(SEGMENTS), 0)
    refill = RefillState(state)
    plan = refill.plan()
    saved = refill.segments(plan["StartedAt"]) if plan else {}
    return {n: int(saved[n].counts.get("items", 0)) if n in saved else 0 for n in range(SEGMENTS)}


def got_further(refill: Running, scene: Scene, before: dict[int, int], items: int) -> bool:
    """Whether the process has ended, or acknowledged at least this number of items more in each segment."""
    now = items_by_segment(scene)
    return not refill.is_alive() or all(now[segment] >= before.get(segment, 0) + items for segment in now)


def test_backfill_killed_at_random_moments_resumes(
    stack: LocalStack,
    proxy: Proxy,
    opensearch_url: str,
    tmp_path: Path,
    figures: Figures,
    print_line: Callable[[str], None],
) -> None:
    scene = Scene(tmp_path, "resumed", stack.endpoints.dynamodb, opensearch_url)
    scene.create_table()
    songs = all_songs()[: scaled(13_925, min_count=2_000)]
    scene.load(songs)
    scans = proxy.happened
    assert isinstance(scans, Scans)
    page_items = len(songs) // PAGES
    chance, kills = random.Random(4), scaled(10, min_count=3)
    variables = scene.variables | {
        "DYNADEX_DYNAMODB_URL": proxy.url,
        "DYNADEX_REFILL_PAGE_SIZE": str(page_items),
        "DYNADEX_DEAD_LETTERS": f"file:{scene.dead_letters}",
    }
    arguments = ("refill", REFERENCE, "--segments", str(SEGMENTS), "--resume")
    with commands_in(scene.directory, **variables) as commands:
        for _ in range(kills):
            # A limit, so that a fast process does not complete the backfill before it is killed.
            scans.allow(PAGES_BETWEEN_KILLS)
            refill = commands.start(*arguments)
            before = items_by_segment(scene)
            # Let each process get further, so that no two kills hit the same pages: one is being written while the
            # next is read.
            wait_for(partial(got_further, refill, scene, before, 2 * page_items), "more pages", every_seconds=0.005)
            let_pass(chance.uniform(0, 0.1))
            assert refill.is_alive(), str(refill)
            refill.kill()
        scans.allow(len(songs))
        last = commands.start(*arguments)
        assert last.wait() == 0, str(last)
        last.wait_for_line("backfill complete")
    assert scene.differences() == []
    assert max(scans.pages.values()) <= 2, scans.pages.most_common(5)
    assert scans.pages.total() <= len(scans.pages) + 2 * kills * SEGMENTS
    figures.kills += kills
    figures.refills += 1
    print_line(
        f"{kills} kills: {len(scans.pages)} pages, {scans.pages.total() - len(scans.pages)} of them scanned twice"
    )
