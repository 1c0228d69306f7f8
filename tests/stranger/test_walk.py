"""First use, from an empty folder and an unknown table to a changed mapping and a rollback: `make stranger`."""

from __future__ import annotations

import json

from tests.stranger.observations import COUNT
from tests.stranger.walk import Walk

BAD_DAY = {"station": "st|1", "noted": 1, "title": "an owl at noon", "seen_at": "yesterday, I think"}
GOOD_DAY = BAD_DAY | {"seen_at": "2026-11-23T12:00:00Z"}
NUMBERS_ALONE = {
    '"flock": {"type": "keyword", "ignore_above": 1024}': '"flock": {"type": "long"}',
    "    return item\n": """    flock = item.get("flock")
    return {**item, "flock": flock if isinstance(flock, int) else None}
""",
}
LARGE_FLOCKS = {"range": {"flock": {"gte": 10}}}


def test_new_user_gets_from_a_table_to_a_search_a_changed_mapping_and_a_rollback(walk: Walk) -> None:
    walk.init()
    walk.test_the_project()
    result = walk.check()
    assert {finding["field"] for finding in result["findings"] if finding["kind"] == "conflict"} == {"flock"}
    [config] = walk.run("config", "--json").output
    settings = json.loads(config)
    assert settings["dynamodb_url"]["source"] == "dynamodb_url in [tool.dynadex] of pyproject.toml"

    worker = walk.commands.start("run", walk.reference)
    worker.wait_for_line("created index")
    walk.on_sync("refill")
    walk.on_sync("verify", "--settle", "1")
    response = walk.search(q="feeding young", confirmed="true")
    assert 0 < response["total"] < COUNT
    assert "<mark>young</mark>" in json.dumps(response["hits"][0]["highlight"])
    assert sum(value["count"] for value in response["facets"]["species"]) == response["total"]

    assert walk.search(q="old harbuor wal")["total"] > 0, "searches tolerate typos"

    walk.put(BAD_DAY)
    worker.wait_for_line("dead-lettered 1 key")
    assert walk.search(q="owl")["total"] == 0
    listed = walk.on_sync("redrive", "--dry-run")
    assert "failed to parse field [seen_at] of type [date]" in listed.output[0]
    walk.put(GOOD_DAY)
    walk.await_total(1, q="owl")
    assert walk.dead_lettered() == ["st%7C1|1"]
    walk.on_sync("redrive")
    assert walk.dead_lettered() == []

    before = walk.query(LARGE_FLOCKS)
    walk.edit(NUMBERS_ALONE)
    assert walk.on_sync("check").output[-1].startswith("No errors")
    assert worker.stop() == 0
    rebuild = walk.commands.start("rebuild", walk.reference)
    rebuild.wait_for_line("created index")
    worker = walk.commands.start("run", walk.reference)
    assert rebuild.wait() == 0, str(rebuild)
    after = walk.query(LARGE_FLOCKS)
    assert after == sum(int(item.get("flock", {}).get("N", 0)) >= 10 for item in walk.items())
    assert before != after, "keyword compares texts, so the two ranges must differ"

    walk.on_sync("rollback")
    assert walk.query(LARGE_FLOCKS) == before
    walk.put(GOOD_DAY | {"noted": 2, "title": "the same owl, and its shadow"})
    walk.await_total(1, q="shadow")
    walk.on_sync("rollback")
    assert walk.query(LARGE_FLOCKS) == after
    walk.await_total(1, q="shadow")
    assert worker.stop() == 0
