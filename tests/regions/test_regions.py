"""Two active regions: concurrent writes, loss of a region, and verify across regions."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from dynadex.demo.lessons import sync
from dynadex.document.typed_json import typed
from dynadex.index.aliases import searched_index
from dynadex.index.bulk import External, Write
from dynadex.runtime import connect
from tests.process.processes import Running, commands_in
from tests.regions.conftest import scaled
from tests.regions.figures import Figures
from tests.regions.world import FIRST, LOCATIONS, SECOND, World, in_threads, load
from tests.waiting import HANG_SECONDS, wait_for

WRITERS_EACH = 2
_OTHER = {FIRST: SECOND, SECOND: FIRST}


def test_lesson_written_in_one_region_is_found_in_the_other(
    world: World, figures: Figures, print_line: Callable[[str], None]
) -> None:
    each = scaled(500, min_count=20) // (2 * WRITERS_EACH)

    def write_and_look(number: int) -> None:
        region = (FIRST, SECOND)[number % 2]
        for _ in range(each):
            word = f"zyx{uuid4().hex[:10]}"
            answer = world.put(region, word, {"title": f"The {word} Reel", "form": "Reel"})
            assert answer.is_success, answer.text
            written_at = time.monotonic()
            wait_for(lambda word=word: world.finds(_OTHER[region], word, word), word)  # type: ignore[misc]
            figures.delays.append(time.monotonic() - written_at)

    in_threads(2 * WRITERS_EACH, write_and_look)
    lessons = world.await_equal()
    figures.writes += len(figures.delays)
    print_line(f"{figures.delay()}; {lessons:,} lessons, 0 differences")


def test_region_is_lost_under_load_and_restarts_empty(
    world: World, figures: Figures, print_line: Callable[[str], None]
) -> None:
    with load(world) as clients:
        wait_for(lambda: {answer.region for answer in clients.since(0)} == {FIRST, SECOND}, "answers of both regions")
        lost_at = time.monotonic()
        assert world.http.post(f"/regions/{SECOND}/cut").status_code == 202
        world.await_healthy(FIRST)
        switched_at = time.monotonic()
        wait_for(lambda: len(clients.since(switched_at)) >= 200, "searches with one region")
        writes = clients.writes
        wait_for(lambda: clients.writes >= writes + 20, "writes with one region")
        restored_at = time.monotonic()
        meanwhile = [answer for answer in clients.since(switched_at) if answer.sent_at < restored_at]
        assert {answer.location for answer in meanwhile} == set(LOCATIONS.values())
        assert {(answer.region, answer.status) for answer in meanwhile} == {(FIRST, 200)}

        assert world.http.post(f"/regions/{SECOND}/restore").status_code == 202
        wait_for(lambda: SECOND in world.regions.ready(), "the region is ready again", every_seconds=0.05)
        back_at = time.monotonic()
        wait_for(lambda: any(answer.region == SECOND for answer in clients.since(back_at)), "its traffic is back")
        wait_for(lambda: len(clients.since(back_at)) >= 50, "searches with both regions")
    responses = clients.since(switched_at)
    failed = [answer for answer in responses if answer.status != 200]
    figures.failed_searches += len(failed)
    assert failed == []
    last_lost = max((answer.sent_at for answer in clients.answers if answer.status != 200), default=lost_at)
    lessons = world.await_equal()
    figures.searches += len(clients.answers)
    figures.writes += clients.writes
    figures.failover_seconds = last_lost - lost_at
    figures.back_seconds = back_at - restored_at
    print_line(
        f"region lost under load: {len(clients.answers) - len(responses):,} searches before, {len(responses):,} after "
        f"the failover ({len(failed)} failed), last failure {last_lost - lost_at:.1f} s after the loss, "
        f"{clients.writes:,} writes, {clients.rejected} rejected; back from empty with {lessons:,} lessons after "
        f"{back_at - restored_at:.1f} s, 0 differences"
    )


def test_concurrent_writes_of_the_same_keys_converge(
    world: World, figures: Figures, print_line: Callable[[str], None]
) -> None:
    keys, rounds = [f"same-{n}" for n in range(10)], scaled(200, min_count=20)

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
    print_line(f"{written:,} writes to {len(keys)} keys from both regions at once: 0 differences")


def test_verify_across_regions_reports_the_region_of_a_difference(
    world: World, tmp_path: Path, print_line: Callable[[str], None]
) -> None:
    def verify(*options: str) -> Running:
        with commands_in(tmp_path, DYNADEX_DYNAMODB_URL=world.regions.settings.dynamodb_url or "") as commands:
            where = ",".join(f"{region}={world.cluster(region)}" for region in LOCATIONS)
            running = commands.start(
                "verify", "dynadex.demo.lessons:sync", "--across-regions", where, "--settle", "1", *options
            )
            running.wait()
            return running

    equal = verify()
    print_line("\n".join(equal.output))
    assert equal.wait() == 0, str(equal)
    assert sum("equals its table" in line for line in equal.output) == 2
    assert f"{FIRST} and {SECOND}: the replicas are equal" in equal.output[-1]

    runtime = connect(sync, world.regions.regions[SECOND].options.settings(world.cluster(SECOND)))
    index = searched_index(runtime.index, sync.index)
    runtime.writer.write(
        index, [Write("orphan", b'{"title":"gone"}', External(1_000))], runtime.clock.monotonic() + HANG_SECONDS
    )
    runtime.index.refresh(index)
    wrong = verify("--json")
    assert wrong.wait() == 1, str(wrong)
    *lines, summary = [json.loads(line) for line in wrong.output]
    assert [(line["region"], line["kind"], line["id"]) for line in lines] == [(SECOND, "orphan", "orphan")]
    assert {region: index["remaining"] for region, index in summary["summary"]["indexes"].items()} == {
        FIRST: 0,
        SECOND: 1,
    }
    assert summary["summary"]["replicas"][0]["different"] == 0
    assert verify("--repair").wait() == 0
