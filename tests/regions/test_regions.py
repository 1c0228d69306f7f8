"""Two regions, both active: written to at once, one of them lost, and verified across."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from dynadex.demo.lessons import sync
from dynadex.demo.router import PERIOD_SECONDS
from dynadex.document.typed_json import typed
from dynadex.index.aliases import searched_index
from dynadex.index.bulk import External, Write
from dynadex.runtime import connect
from tests.process.processes import Running, commands_in, wait_for
from tests.regions.conftest import scaled
from tests.regions.figures import Figures
from tests.regions.world import FIRST, LOCATIONS, SECOND, World, in_threads, load

WRITERS_EACH = 2
_OTHER = {FIRST: SECOND, SECOND: FIRST}


def test_a_lesson_written_through_one_region_is_found_through_the_other(
    world: World, figures: Figures, tell: Callable[[str], None]
) -> None:
    each = scaled(500, least=20) // (2 * WRITERS_EACH)

    def write_and_look(number: int) -> None:
        region = (FIRST, SECOND)[number % 2]
        for _ in range(each):
            word = f"zyx{uuid4().hex[:10]}"
            answer = world.put(region, word, {"title": f"The {word} Reel", "form": "Reel"})
            assert answer.is_success, answer.text
            written_at = time.monotonic()
            wait_for(lambda word=word: world.found(_OTHER[region], word, word), word, 60)  # type: ignore[misc]
            figures.delays.append(time.monotonic() - written_at)

    in_threads(2 * WRITERS_EACH, write_and_look)
    lessons = world.await_equal()
    figures.writes += len(figures.delays)
    tell(f"{figures.delay()}; {lessons:,} lessons, 0 differences")


def test_one_region_is_lost_under_load_and_comes_back_empty(
    world: World, figures: Figures, tell: Callable[[str], None]
) -> None:
    with load(world) as people:
        wait_for(lambda: {one.region for one in people.since(0)} == {FIRST, SECOND}, "answers of both regions")
        lost_at = time.monotonic()
        assert world.http.post(f"/regions/{SECOND}/cut").status_code == 202
        switched_at = time.monotonic() + 2 * PERIOD_SECONDS
        wait_for(lambda: len(people.since(switched_at)) >= 200, "searches with one region", 60)
        writes = people.writes
        wait_for(lambda: people.writes >= writes + 20, "writes with one region", 60)
        restored_at = time.monotonic()
        meanwhile = [one for one in people.since(switched_at) if one.asked_at < restored_at]
        assert {one.location for one in meanwhile} == set(LOCATIONS.values())
        assert {(one.region, one.status) for one in meanwhile} == {(FIRST, 200)}

        assert world.http.post(f"/regions/{SECOND}/restore").status_code == 202
        wait_for(lambda: SECOND in world.regions.ready(), "the region is ready again", 300, 0.05)
        back_at = time.monotonic()
        wait_for(lambda: any(one.region == SECOND for one in people.since(back_at)), "its traffic is back", 60)
        wait_for(lambda: len(people.since(back_at)) >= 50, "searches with both regions", 60)
    answered = people.since(switched_at)
    failed = [one for one in answered if one.status != 200]
    figures.failed_searches += len(failed)
    assert failed == []
    last_lost = max((one.asked_at for one in people.answers if one.status != 200), default=lost_at)
    lessons = world.await_equal()
    figures.searches += len(people.answers)
    figures.writes += people.writes
    figures.failover_seconds = last_lost - lost_at
    figures.back_seconds = back_at - restored_at
    tell(
        f"region lost under load: {len(people.answers) - len(answered):,} searches before, {len(answered):,} after two "
        f"periods ({len(failed)} failed), last failure {last_lost - lost_at:.1f} s after the loss, {people.writes:,} "
        f"writes, {people.refused} refused; back from empty with {lessons:,} lessons after "
        f"{back_at - restored_at:.1f} s, 0 differences"
    )


def test_the_same_keys_written_in_both_regions_at_once(
    world: World, figures: Figures, tell: Callable[[str], None]
) -> None:
    keys, rounds = [f"same-{n}" for n in range(10)], scaled(200, least=20)

    def write(number: int) -> None:
        region = (FIRST, SECOND)[number]
        client = world.regions.dynamodb(region)
        for count in range(rounds):
            for identity in keys:
                if (count + number) % 5 == 4:
                    client.delete_item(TableName=sync.table, Key={"id": {"S": identity}})
                else:
                    item = {"id": identity, "title": f"{region} {count}", "note_count": count}
                    client.put_item(TableName=sync.table, Item=typed(item)["M"])

    in_threads(2, write)
    world.await_equal()
    written = 2 * rounds * len(keys)
    figures.same_key_writes += written
    tell(f"{written:,} writes to {len(keys)} keys from both regions at once: 0 differences")


def test_verify_across_regions_says_which_index_is_wrong(
    world: World, tmp_path: Path, tell: Callable[[str], None]
) -> None:
    def verify(*options: str) -> Running:
        with commands_in(tmp_path, DYNADEX_DYNAMODB_URL=world.regions.settings.dynamodb_url or "") as commands:
            where = ",".join(f"{region}={world.cluster(region)}" for region in LOCATIONS)
            running = commands.start(
                "verify", "dynadex.demo.lessons:sync", "--across-regions", where, "--settle", "1", *options
            )
            running.wait(120)
            return running

    equal = verify()
    tell("\n".join(equal.output))
    assert equal.wait() == 0, str(equal)
    assert sum("equals its table" in line for line in equal.output) == 2
    assert f"{FIRST} and {SECOND}: the replicas are equal" in equal.output[-1]

    runtime = connect(sync, world.regions.regions[SECOND].options.settings(world.cluster(SECOND)))
    index = searched_index(runtime.index, sync.index)
    runtime.writer.write(index, [Write("orphan", b'{"title":"gone"}', External(1_000))], runtime.clock.monotonic() + 10)
    runtime.index.refresh(index)
    wrong = verify("--json")
    assert wrong.wait() == 1, str(wrong)
    *lines, summary = [json.loads(line) for line in wrong.output]
    assert [(line["region"], line["kind"], line["id"]) for line in lines] == [(SECOND, "orphan", "orphan")]
    assert {name: one["remaining"] for name, one in summary["summary"]["indexes"].items()} == {FIRST: 0, SECOND: 1}
    assert summary["summary"]["replicas"][0]["different"] == 0
    assert verify("--repair").wait() == 0
