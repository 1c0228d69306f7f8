"""Real processes under faults of network and backends: table and index end equal, and no change is lost."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial

import pytest

from dynadex import clients
from dynadex.dead_letters.sqs import DeadLetterQueue
from dynadex.testing.opensearch import OpenSearchNode
from tests.faults.load import WriteLoad, writing
from tests.faults.proxy import BY_CHANCE, SLOW, Fault, Plan, Proxy, Request, proxy_to
from tests.faults.stage import Figures, Stage, make_stage
from tests.process.processes import Commands, Running, commands_in
from tests.process.relay import relay_to
from tests.process.scene import REFERENCE
from tests.waiting import let_pass, wait_for

# 1 is the whole suite, as `make faults` runs it; `make test` runs a part of it.
SCALE = float(os.environ.get("FAULTS_SCALE", "0.06"))
KILLS = round(50 * SCALE)
FAULTS_EACH = max(2, round(20 * SCALE))
SLOW_FAULTS_EACH = max(2, round(6 * SCALE))
OUTAGES = max(1, round(6 * SCALE))
# One at a time, a failure shows the kind of fault that caused it; together they take less time.
KINDS = [*((kind,) for kind in BY_CHANCE), BY_CHANCE] if SCALE >= 1 else [BY_CHANCE]
READING = "reading the stream as worker"
# No standby takes over from a leader that is only slow.
ENDLESS_LEASE = {"DYNADEX_WORKER_LEASE_SECONDS": "3600"}


@pytest.fixture(scope="module")
def make(
    tmp_path_factory: pytest.TempPathFactory, dynamodb_url: str, node: OpenSearchNode
) -> Iterator[Callable[[str], Stage]]:
    """Create a stage with a name."""
    with ExitStack() as stages:

        def make(name: str) -> Stage:
            stage = make_stage(tmp_path_factory.mktemp(name), name, dynamodb_url, node.url)
            stages.callback(stage.close)
            return stage

        yield make


def name_of(kinds: Sequence[Fault]) -> str:
    return kinds[0].name.lower() if len(kinds) == 1 else "all kinds"


@contextmanager
def working(stage: Stage, opensearch_url: str, **variables: str) -> Iterator[tuple[Running, Commands]]:
    """Run a worker that reads; yield it and the commands to start another."""
    environment = stage.variables | {"OPENSEARCH_URL": opensearch_url} | variables
    with commands_in(stage.directory, **environment) as commands:
        worker = commands.start("run", REFERENCE)
        worker.wait_for_line(READING)
        yield worker, commands


@pytest.fixture(scope="module")
def proxied(make: Callable[[str], Stage]) -> Iterator[tuple[Stage, Proxy, Running]]:
    """A stage whose worker reaches OpenSearch through a proxy, shared by the kinds of faults."""
    stage = make("proxied")
    with proxy_to(stage.settings.opensearch_url) as proxy, working(stage, proxy.url) as (worker, _):
        yield stage, proxy, worker


@pytest.mark.parametrize("kinds", KINDS, ids=name_of)
def test_fault_between_worker_and_cluster_leaves_no_difference(
    proxied: tuple[Stage, Proxy, Running], figures: Figures, kinds: Sequence[Fault]
) -> None:
    stage, proxy, worker = proxied
    before = proxy.happened.faults.copy()
    slow = any(kind in SLOW for kind in kinds)
    min_faults = (SLOW_FAULTS_EACH if slow else FAULTS_EACH) * len(kinds)

    def happened() -> dict[Fault, int]:
        return {kind: proxy.happened.faults[kind] - before[kind] for kind in kinds}

    with writing(stage, seed=before.total()) as load:
        proxy.plan = Plan(kinds, probability=0.3 if len(kinds) == 1 else 0.2)
        wait_for(lambda: sum(happened().values()) >= min_faults and all(happened().values()), "faults")
        assert worker.is_alive(), str(worker)
        proxy.heal()
    figures.writes += load.writes
    stage.compare(figures, worker)
    assert_no_late_difference(stage, proxy)
    count(figures, happened())


def test_bulk_request_too_large_for_the_cluster_is_split_and_causes_no_dead_letter(
    make: Callable[[str], Stage], figures: Figures
) -> None:
    stage = make("too-large")
    with proxy_to(stage.settings.opensearch_url) as proxy:
        # A batch is about 10 KB, a document much less.
        proxy.plan = Plan(max_bytes=2_000)
        with working(stage, proxy.url) as (worker, _), writing(stage, seed=413) as load:
            wait_for(lambda: proxy.happened.faults[Fault.TOO_LARGE] and load.writes > 200, "413 under load")
        # A new worker must learn the size limit again.
        with working(stage, proxy.url) as (worker, _):
            stage.compare(figures, worker)
        figures.writes += load.writes
        count(figures, {Fault.TOO_LARGE: proxy.happened.faults[Fault.TOO_LARGE]})
        assert proxy.happened.max_body <= 2_000


def test_worker_killed_at_random_moments_under_load_leaves_no_difference(
    make: Callable[[str], Stage], figures: Figures
) -> None:
    """A leader and a standby: the last requests of a killed worker arrive long after the standby took over."""
    stage, chance = make("killed"), random.Random(50)
    late_writers = Plan((Fault.LATE, Fault.LATE, Fault.REPLY_LOST), probability=0.25)
    with (
        proxy_to(stage.settings.opensearch_url) as proxy,
        working(stage, proxy.url, **ENDLESS_LEASE) as (
            worker,
            commands,
        ),
    ):
        proxy.plan = late_writers
        standby = commands.start("run", REFERENCE)
        with writing(stage, seed=9) as load:
            for _ in range(KILLS):
                wait_for_moment(chance.uniform(0, 1.0), worker)
                worker.kill()
                stage.expire_lease()
                worker = standby
                worker.wait_for_line(READING)
                # Started only now, because either of two standbys may take over.
                standby = commands.start("run", REFERENCE)
            # On a busy machine, so few requests may have passed that no fault of a kind occurred.
            wait_for(lambda: all(proxy.happened.faults[kind] for kind in late_writers.kinds), "faults of each kind")
        worker.kill()
        stage.expire_lease()
        proxy.heal()
        figures.kills += KILLS + 1
        figures.writes += load.writes
        stage.compare(figures, standby)
        assert_no_late_difference(stage, proxy)
        count(figures, {kind: proxy.happened.faults[kind] for kind in set(late_writers.kinds)})


def test_cluster_killed_and_restarted_with_its_data_leaves_no_difference(
    make: Callable[[str], Stage], figures: Figures, node: OpenSearchNode
) -> None:
    stage = make("cluster-killed")
    with working(stage, node.url) as (worker, _):
        with writing(stage, seed=11) as load:
            wait_for(lambda: load.writes > 100, "some writes")
            node.kill()
            worker.wait_for_line("waiting: .*(the search cluster does not respond)")
            node.start()
            wait_for(lambda: load.writes > 300, "more writes")
        figures.writes += load.writes
        figures.faults["cluster killed"] += 1
        stage.compare(figures, worker)


def test_unavailable_dynamodb_endpoint_leaves_no_difference(make: Callable[[str], Stage], figures: Figures) -> None:
    stage, chance = make("dynamodb-unavailable"), random.Random(13)
    assert stage.settings.dynamodb_url
    with (
        relay_to(stage.settings.dynamodb_url) as relay,
        working(stage, stage.settings.opensearch_url, DYNADEX_DYNAMODB_URL=relay.url) as (worker, _),
    ):
        with writing(stage, seed=13) as load:
            for _ in range(OUTAGES):
                wait_for_moment(chance.uniform(0.5, 1.5), worker)
                written, logged = load.writes, len(worker.errors)
                relay.cut()
                wait_for(partial(waits, worker, logged), "an outage")
                wait_for(partial(wrote, load, written + 50), "writes during the outage")
                relay.restore()
        figures.writes += load.writes
        figures.faults["DynamoDB unavailable"] += OUTAGES
        stage.compare(figures, worker)


def test_rejected_records_wait_while_the_dead_letter_file_is_unavailable(
    make: Callable[[str], Stage], figures: Figures
) -> None:
    stage = make("file-unavailable")
    folder = stage.directory / "letters"
    stage.dead_letters = folder / "dead-letters.jsonl"
    with working(stage, stage.settings.opensearch_url) as (worker, _):
        folder.write_text("a file where the folder should be")
        assert_rejected_records_wait(stage, worker, figures)
        folder.unlink()
        stage.compare(figures, worker)
        assert "rejected-alone" in stage.dead_lettered()
    figures.faults["dead-letter file unavailable"] += 1


def test_rejected_records_wait_while_the_dead_letter_queue_is_unavailable(
    make: Callable[[str], Stage], figures: Figures
) -> None:
    stage = make("queue-unavailable")
    assert stage.settings.dynamodb_url
    with proxy_to(stage.settings.dynamodb_url) as proxy:
        settings = replace(stage.settings, dynamodb_url=proxy.url)
        sqs = clients.sqs(settings)
        url = sqs.create_queue(QueueName="faults")["QueueUrl"]
        stage.queue = DeadLetterQueue(sqs, url)
        variables = {"DYNADEX_DYNAMODB_URL": proxy.url, "DYNADEX_DEAD_LETTERS": url}
        with working(stage, stage.settings.opensearch_url, **variables) as (worker, _):
            proxy.plan = Plan((Fault.UNAVAILABLE, Fault.REQUEST_RESET), 1.0, applies_to=sends_to_a_queue)
            assert_rejected_records_wait(stage, worker, figures)
            proxy.heal()
            stage.compare(figures, worker)
            assert "rejected-alone" in stage.dead_lettered()
        sqs.close()
        figures.faults["dead-letter queue unavailable"] += proxy.happened.faults.total()
        assert proxy.happened.faults.total() > 0


def assert_rejected_records_wait(stage: Stage, worker: Running, figures: Figures) -> None:
    """Assert that under load no rejected record is acknowledged, and that valid items are indexed immediately."""
    stage.put({"id": "rejected-alone", "title": "Rejected", "difficulty": "beyond words"})
    stage.put({"id": "good", "title": "Good"})
    worker.wait_for_line("not applied yet: Cannot write dead letters to")
    wait_for(lambda: "good" in stage.documents(), "the valid item in the index")
    before = stage.checkpoints()
    with writing(stage, seed=17) as load:
        wait_for(lambda: load.writes > 100, "writes")
        assert worker.is_alive(), str(worker)
    assert stage.checkpoints() == before, "a rejected record was acknowledged without a dead letter"
    figures.writes += load.writes


def assert_no_late_difference(stage: Stage, proxy: Proxy) -> None:
    wait_for(lambda: not proxy.happened.held, "the last of the late requests")
    assert not stage.differences(), "a late request made a difference"


def waits(worker: Running, logged: int) -> bool:
    """Whether the worker logged after the given number of lines that it waits."""
    return any("waiting: " in line for line in worker.errors[logged:])


def wrote(load: WriteLoad, min_writes: int) -> bool:
    return load.writes >= min_writes


def sends_to_a_queue(request: Request) -> bool:
    return str(request.headers.get("X-Amz-Target", "")).startswith("AmazonSQS.SendMessage")


def wait_for_moment(seconds: float, worker: Running) -> None:
    """Wait, independently of the worker, which must be alive at the end."""
    let_pass(seconds, worker.is_alive)
    assert worker.is_alive(), str(worker)


def count(figures: Figures, happened: dict[Fault, int]) -> None:
    """Assert that each kind occurred, and add the counts to the figures."""
    for kind, times in happened.items():
        assert times > 0, f"{kind.value} never occurred"
        figures.faults[kind.value] += times
