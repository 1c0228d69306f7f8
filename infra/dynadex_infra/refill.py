"""The refill on Step Functions: three functions, and the state machine that ships with dynadex."""

from __future__ import annotations

from pathlib import Path

from aws_cdk import Duration, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as stepfunctions
from constructs import Construct

import dynadex
from dynadex_infra.acknowledged import acknowledge, acknowledge_wildcard
from dynadex_infra.alarms import MINUTE, AlarmSet
from dynadex_infra.functions import Sizing, allow, allow_reading, sync_function
from dynadex_infra.log_groups import log_group
from dynadex_infra.search_domain import DomainReference, alias_paths, index_paths
from dynadex_infra.settings import StreamOptions, SyncCode
from dynadex_infra.stream_indexer import allow_indexing

STATE_MACHINE = Path(dynadex.__file__).parent / "aws" / "refill.asl.json"
# A slice scans for four minutes and keeps half a minute for flushing: Lambda must not end it before.
SLICE = Sizing(timeout_seconds=300, request_seconds=30)
# Finish lists the whole index, and after a rebuild compares it: as long as Lambda allows.
WHOLE_INDEX = Sizing(timeout_seconds=900, request_seconds=30)
_LONGEST = Duration.days(2)


class Refill(Construct):
    """Loads an index from its table. Start it with ``{}``, ``{"Segments": 4}`` or ``{"Rebuild": true}``.

    ``stream_timeout_seconds``: how long a writer of changes may take, the time-out of the stream's function.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        code: SyncCode,
        table: dynamodb.ITable,
        domain: DomainReference,
        dead_letters: sqs.IQueue,
        stream_timeout_seconds: int = StreamOptions().timeout_seconds,
    ) -> None:
        super().__init__(scope, name)
        self._stream_timeout_seconds = stream_timeout_seconds
        self._code, self._table, self._domain, self._dead_letters = code, table, domain, dead_letters
        self.prepare = self._prepare()
        self.refill = self._refill()
        self.finish = self._finish()
        self.machine = self._machine()

    def add_alarms(self, alarms: AlarmSet) -> None:
        """A refill that ended without an index."""
        meaning = "A refill ended before its end: see its execution, then start another."
        alarms.add("RefillFailed", self.machine.metric_failed(period=MINUTE), 1, meaning)
        alarms.add("RefillTimedOut", self.machine.metric_timed_out(period=MINUTE), 1, meaning)

    def _function(self, name: str, sizing: Sizing) -> lambda_.Function:
        environment = {
            "DYNADEX_DEAD_LETTERS": self._dead_letters.queue_url,
            "DYNADEX_MAX_BATCH_SECONDS": str(self._stream_timeout_seconds),
        }
        return sync_function(self, name, self._code, name.lower(), sizing, self._domain, environment)

    def _prepare(self) -> lambda_.Function:
        """Makes indexes, and gives way (DELETE) where another process made the same one at the same time."""
        function = self._function("Prepare", SLICE)
        allow(function.role, ["dynamodb:DescribeTable"], [self._table.table_arn])
        paths = [*index_paths(self._code.index), *alias_paths(self._code.index)]
        self._domain.allow(function.role, ["GET"], paths)
        self._domain.allow(function.role, ["PUT", "DELETE"], index_paths(self._code.index))
        return function

    def _refill(self) -> lambda_.Function:
        function = self._function("Refill", SLICE)
        allow_indexing(function, self._code, self._table, self._domain, self._dead_letters)
        allow(function.role, ["dynamodb:Scan"], [self._table.table_arn])
        self._domain.allow(function.role, ["GET"], index_paths(self._code.index))
        return function

    def _finish(self) -> lambda_.Function:
        """Sweeps, compares and swaps. A listing's pages and a change of aliases name their index in the body alone."""
        function = self._function("Finish", WHOLE_INDEX)
        allow_indexing(function, self._code, self._table, self._domain, self._dead_letters)
        allow_reading(function, self._table, scan=True)
        self._domain.allow(function.role, ["GET", "PUT"], index_paths(self._code.index))
        self._domain.allow(function.role, ["POST", "DELETE"], ["_search/scroll"])
        self._domain.allow(function.role, ["POST"], ["_aliases"])
        return function

    def _machine(self) -> stepfunctions.StateMachine:
        functions = {"Prepare": self.prepare, "Refill": self.refill, "Finish": self.finish}
        role = iam.Role(self, "MachineRole", assumed_by=iam.ServicePrincipal("states.amazonaws.com"))
        arns = [function.function_arn for function in functions.values()]
        allow(role, ["lambda:InvokeFunction"], arns)
        machine = stepfunctions.StateMachine(
            self,
            "Machine",
            role=role,
            definition_body=stepfunctions.DefinitionBody.from_string(STATE_MACHINE.read_text(encoding="utf-8")),
            definition_substitutions={f"{name}FunctionArn": one.function_arn for name, one in functions.items()},
            timeout=_LONGEST,
            # Without execution data: a slice is told by its last key, a value of an item.
            logs=stepfunctions.LogOptions(
                destination=log_group(self, "MachineLogs"),
                level=stepfunctions.LogLevel.ALL,
                include_execution_data=False,
            ),
        )
        reason = "CDK lets a state machine deliver its logs, which AWS limits to no log group."
        acknowledge_wildcard(role, "*", reason)
        acknowledge(
            machine, "AwsSolutions-SF2", "Its history and its logs tell each step; tracing would tell it again."
        )
        return machine


def start_command(machine: stepfunctions.StateMachine) -> str:
    """How to start a refill from a terminal."""
    region = Stack.of(machine).region
    return f"aws stepfunctions start-execution --region {region} --state-machine-arn {machine.state_machine_arn}"
