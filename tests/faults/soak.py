"""The soak test: constant writes, random faults and kills. At the end, memory is flat and table and index are equal.

    python -m tests.faults.soak [SECONDS]

``SOAK_SECONDS`` has the same effect; the default is 10 minutes. Prints one line of figures at the end.
"""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from dynadex.local.stack import LocalStack
from dynadex.testing.opensearch import OpenSearchNode
from tests.faults.load import writing
from tests.faults.proxy import BY_CHANCE, Plan, Proxy, proxy_to
from tests.faults.stage import Figures, Stage, make_stage
from tests.process.processes import Commands, Running, commands_in
from tests.process.relay import Relay, relay_to
from tests.process.scene import REFERENCE
from tests.waiting import let_pass, wait_for

_SECONDS = 600.0
_SAMPLE_SECONDS = 0.5
_FAULTY = Plan(BY_CHANCE, probability=0.05)
# Fractions of the whole time: after the kills, the memory of one worker is measured, without its warm-up.
_KILLS_END = 0.4
_WARM_UP = 0.1
_MAX_GROWTH = 1.2
_READING = "reading the stream as worker"


@dataclass
class Soak:
    """One run, which takes the given number of seconds."""

    seconds: float
    stage: Stage
    proxy: Proxy
    relay: Relay
    commands: Commands
    figures: Figures = field(default_factory=Figures)
    memory: list[float] = field(default_factory=list)
    """Megabytes of the last worker, sampled after its warm-up."""
    chance: random.Random = field(default_factory=lambda: random.Random(2026))

    def run(self) -> None:
        worker = self._start()
        self.proxy.plan = _FAULTY
        with writing(self.stage, seed=600) as load:
            worker = self._kill_repeatedly(worker)
            self._measure_memory(worker)
            self.proxy.heal()
        self.figures.writes = load.writes
        self.stage.compare(self.figures, worker)
        wait_for(lambda: not self.proxy.happened.held, "the last of the late requests")
        assert not self.stage.differences(), "a late request made a difference"
        self.figures.faults += {kind.value: times for kind, times in self.proxy.happened.faults.items()}
        assert worker.stop() == 0, str(worker)

    def growth(self) -> float:
        """Return the median memory of the last third relative to that of the second third."""
        third = len(self.memory) // 3
        return median(self.memory[-third:]) / median(self.memory[third : 2 * third])

    def _kill_repeatedly(self, worker: Running) -> Running:
        end = time.monotonic() + self.seconds * _KILLS_END
        while time.monotonic() < end:
            self._let_work(worker, self.chance.uniform(3, 10))
            if self.chance.random() < 0.3:
                self._interrupt_dynamodb(worker)
            worker.kill()
            self.figures.kills += 1
            worker = self._start()
        return worker

    def _measure_memory(self, worker: Running) -> None:
        self._let_work(worker, self.seconds * _WARM_UP)
        end = time.monotonic() + self.seconds * (1 - _KILLS_END - _WARM_UP)
        outage_at = time.monotonic() + (end - time.monotonic()) / 2
        while time.monotonic() < end:
            self._let_work(worker, _SAMPLE_SECONDS)
            self.memory.append(resident_megabytes(worker.pid))
            if time.monotonic() > outage_at:
                outage_at = end
                self._interrupt_dynamodb(worker)

    def _interrupt_dynamodb(self, worker: Running) -> None:
        self.relay.cut()
        self._let_work(worker, self.chance.uniform(0.5, 3))
        self.relay.restore()
        self.figures.faults["DynamoDB unavailable"] += 1

    def _start(self) -> Running:
        worker = self.commands.start("run", REFERENCE)
        worker.wait_for_line(_READING)
        return worker

    def _let_work(self, worker: Running, seconds: float) -> None:
        let_pass(seconds, worker.is_alive)
        assert worker.is_alive(), str(worker)


def resident_megabytes(pid: int) -> float:
    """Return the resident memory of a process."""
    [line] = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) / 1024


def main(arguments: Sequence[str]) -> int:
    seconds = float(arguments[0]) if arguments else float(os.environ.get("SOAK_SECONDS") or _SECONDS)
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="dynadex-soak-")))
        node = stack.enter_context(OpenSearchNode(directory / "opensearch"))
        local = stack.enter_context(LocalStack(directory / "stack", opensearch_url=node.url))
        stage = make_stage(directory, "soaked", local.endpoints.dynamodb, node.url)
        stack.callback(stage.close)
        proxy = stack.enter_context(proxy_to(node.url, seed=2026))
        relay = stack.enter_context(relay_to(local.endpoints.dynamodb))
        variables = stage.variables | {"OPENSEARCH_URL": proxy.url, "DYNADEX_DYNAMODB_URL": relay.url}
        # Hide the output of the workers; an error contains it.
        stack.enter_context(redirect_stdout(StringIO()))
        commands = stack.enter_context(commands_in(stage.directory, **variables))
        soak = Soak(seconds, stage, proxy, relay, commands)
        soak.run()
    first, last = soak.memory[0], soak.memory[-1]
    print(f"memory: {first:.0f} MB to {last:.0f} MB, last third {soak.growth():.0%} of the second")
    assert soak.growth() < _MAX_GROWTH, f"memory grew: {soak.memory}"
    print(f"soak: {seconds:.0f} s, {str(soak.figures).removeprefix('faults: ')}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
