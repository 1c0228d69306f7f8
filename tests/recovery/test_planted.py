"""Verify reports exactly the planted differences, and repairs them under a load of writes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from dynadex.index.aliases import searched_index
from dynadex.index.bulk import External, Write
from dynadex.local.stack import LocalStack
from dynadex.runtime import Runtime, connect
from tests.faults.load import writing
from tests.faults.stage import Figures as Compared
from tests.faults.stage import make_stage
from tests.process.processes import commands_in
from tests.process.scene import REFERENCE
from tests.recovery.conftest import scaled
from tests.recovery.figures import Figures
from tests.songs import all_songs
from tests.waiting import HANG_SECONDS

# Of each kind.
PLANTED = scaled(500, min_count=50)


def test_planted_differences_are_reported_and_repaired(
    stack: LocalStack, opensearch_url: str, tmp_path: Path, figures: Figures, print_line: Callable[[str], None]
) -> None:
    stage = make_stage(tmp_path, "planted", stack.endpoints.dynamodb, opensearch_url)
    songs = all_songs()[: scaled(13_925, min_count=600)]
    stage.load(songs)
    runtime = connect(stage.sync, stage.settings)
    with commands_in(stage.directory, **stage.variables) as commands:
        worker = commands.start("run", REFERENCE)
        worker.wait_for_line("reading the stream as worker")
        stage.await_count(len(songs))
        index = searched_index(runtime.index, stage.name)
        ids = [str(song["id"]) for song in songs]
        missing, altered = ids[: 3 * PLANTED : 3], ids[1 : 3 * PLANTED : 3]
        orphans = [f"orphan-{n}" for n in range(PLANTED)]
        writes = [Write(i, None, External(above)) for i, above in versions(runtime, index, missing)]
        writes += [Write(i, b'{"title":"altered"}', External(above)) for i, above in versions(runtime, index, altered)]
        writes += [Write(i, b'{"title":"orphan"}', External(1_000)) for i in orphans]
        replies = runtime.writer.write(index, writes, runtime.clock.monotonic() + HANG_SECONDS)
        assert Counter(reply.outcome.name for reply in replies) == {"APPLIED": 3 * PLANTED}

        verify = commands.start("verify", REFERENCE, "--json")
        assert verify.wait() == 1, str(verify)
        *lines, summary = [json.loads(line) for line in verify.output]
        reported = {(line["kind"], line["id"]) for line in lines}
        expected = {"missing": missing, "different": altered, "orphan": orphans}
        assert reported == {(kind, identity) for kind, planted in expected.items() for identity in planted}
        assert len(lines) == 3 * PLANTED
        assert summary["summary"]["remaining"] == 3 * PLANTED

        with writing(stage, 7, 0.06) as load:
            repair = commands.start("verify", REFERENCE, "--repair")
            code = repair.wait()
        assert code == 0, str(repair)
        stage.compare(Compared(), worker)
        print_line("\n".join(repair.output))
    figures.planted += 3 * PLANTED
    figures.found += len(lines)
    figures.writes += load.writes
    stage.close()


def versions(runtime: Runtime, index: str, ids: list[str]) -> list[tuple[str, int]]:
    """Return a version just above that of each document, with which a test can overwrite it."""
    documents = runtime.index.get_many(index, ids)
    return [(identity, stored.version + 1) for identity, stored in zip(ids, documents, strict=True) if stored]
