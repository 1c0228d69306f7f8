"""The shipped state machine in the Step Functions of the local stack, with functions that run in processes."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from dynadex.runtime import Runtime
from tests.process.scene import MODULE, Scene
from tests.waiting import wait_for

_ROLE = "arn:aws:iam::000000000000:role/refill"
_FUNCTIONS = ("prepare", "refill", "finish")
_HANDLERS = """
from dynadex.aws import finish_handler, prepare_handler, refill_handler
prepare = prepare_handler(sync)
refill = refill_handler(sync)
finish = finish_handler(sync)
"""


@dataclass(frozen=True)
class Execution:
    """A finished execution: its status, its output, and its history from Step Functions."""

    status: str
    output: Any
    history: list[Mapping[str, Any]]

    def slices(self) -> int:
        """Number of invocations of the backfill function."""
        types = [str(event["type"]) for event in self.history]
        within = types[types.index("MapStateEntered") : types.index("MapStateExited")]
        return sum(kind in ("LambdaFunctionScheduled", "TaskScheduled") for kind in within)

    def table(self) -> str:
        """The history, a line for each event."""
        start = self.history[0]["timestamp"]
        lines = [f"{'event':>5}  {'after':>8}  {'type':<28} state"]
        for event in self.history:
            after = (event["timestamp"] - start).total_seconds()
            lines.append(f"{event['id']:>5}  {after:>6.2f} s  {event['type']:<28} {_state(event)}")
        return "\n".join(lines)


class RefillMachine:
    """Functions and state machine deployed for one scene."""

    def __init__(self, scene: Scene, clients: Mapping[str, Any], variables: Mapping[str, str]) -> None:
        self._machines = clients["stepfunctions"]
        code = _zip(scene)
        arns = {}
        for name in _FUNCTIONS:
            reply = clients["lambda"].create_function(
                FunctionName=f"{scene.name}-{name}",
                Runtime="python3.11",
                Role=_ROLE,
                Handler=f"{MODULE}.{name}",
                Code={"ZipFile": code},
                Timeout=60,
                Environment={"Variables": {**scene.variables, **variables}},
            )
            arns[f"{name.capitalize()}FunctionArn"] = reply["FunctionArn"]
        self.arn = self._machines.create_state_machine(
            name=f"{scene.name}-refill", definition=definition(arns), roleArn=_ROLE
        )["stateMachineArn"]

    def run(self, execution_input: Mapping[str, Any]) -> Execution:
        """Run one execution to its end."""
        arn = self._machines.start_execution(stateMachineArn=self.arn, input=json.dumps(execution_input))[
            "executionArn"
        ]

        def ended() -> Any:
            execution = self._machines.describe_execution(executionArn=arn)
            return execution["status"] != "RUNNING" and execution

        execution = wait_for(ended, "the end of the execution", every_seconds=0.1)
        pages = self._machines.get_paginator("get_execution_history").paginate(executionArn=arn)
        history = [event for page in pages for event in page["events"]]
        return Execution(execution["status"], json.loads(execution.get("output", "null")), history)


def definition(arns: Mapping[str, str]) -> str:
    """The shipped Amazon States Language file with the functions filled in, as CloudFormation does it."""
    text = files("dynadex.aws").joinpath("refill.asl.json").read_text()
    for name, arn in arns.items():
        text = text.replace("${" + name + "}", arn)
    assert "${" not in text
    return text


def documents(runtime: Runtime) -> dict[str, Any]:
    """Return every searchable document by its id."""
    [index] = runtime.index.indexes_behind(runtime.sync.index)
    runtime.index.refresh(index)
    ids = [identity for page in runtime.index.versions(index) for identity, _ in page]
    documents = runtime.index.get_many(index, ids)
    return {identity: stored.source for identity, stored in zip(ids, documents, strict=True) if stored}


def _zip(scene: Scene) -> bytes:
    module = (scene.directory / f"{MODULE}.py").read_text() + _HANDLERS
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(f"{MODULE}.py", module)
    return packed.getvalue()


def _state(event: Mapping[str, Any]) -> str:
    for name in ("stateEnteredEventDetails", "stateExitedEventDetails"):
        if name in event:
            return str(event[name]["name"])
    return ""
