"""Backfill on Step Functions: three functions and the state machine that ships with dynadex."""

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
from dynadex_infra.alarm_set import MINUTE, AlarmSet
from dynadex_infra.functions import Sizing, allow, allow_reading, sync_function
from dynadex_infra.log_groups import log_group
from dynadex_infra.search_domain import DomainReference, alias_paths, index_paths
from dynadex_infra.settings import StreamOptions, SyncCode
from dynadex_infra.stream_indexer import allow_indexing

STATE_MACHINE = Path(dynadex.__file__).parent / "aws" / "refill.asl.json"
# A slice scans for four minutes and flushes for 30 seconds: the function must not time out before.
SLICE = Sizing(timeout_seconds=300, request_seconds=30)
# Finish sweeps the whole index, and compares it after a rebuild: use the longest timeout of Lambda.
WHOLE_INDEX = Sizing(timeout_seconds=900, request_seconds=30)
_MAX_DAYS = 2


class Refill(Construct):
    """Fills an index from its table. Start the machine with ``{}``, ``{"Segments": 4}`` or ``{"Rebuild": true}``.

    Args:
        scope: Parent construct.
        name: Id of the construct.
        code: Sync and package.
        table: Table to scan.
        domain: Search domain of the index.
        dead_letters: Queue for keys that cannot be indexed.
        stream_timeout_seconds: Timeout of the stream function. A rebuild waits that long for writers of changes.
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
        """Add alarms for backfills that fail or time out."""
        advice = (
            "Items may be missing from the index until a backfill succeeds; after a rebuild, searches keep using the "
            "old index. Read the cause in the execution history of the state machine, then start another backfill, "
            "which is always safe."
        )
        failed = f"A backfill failed. {advice}"
        timed_out = f"A backfill did not finish within {_MAX_DAYS} days. {advice}"
        alarms.add("RefillFailed", self.machine.metric_failed(period=MINUTE), 1, failed)
        alarms.add("RefillTimedOut", self.machine.metric_timed_out(period=MINUTE), 1, timed_out)

    def _function(self, name: str, sizing: Sizing) -> lambda_.Function:
        environment = {
            "DYNADEX_DEAD_LETTERS": self._dead_letters.queue_url,
            "DYNADEX_MAX_BATCH_SECONDS": str(self._stream_timeout_seconds),
        }
        return sync_function(self, name, self._code, name.lower(), sizing, self._domain, environment)

    def _prepare(self) -> lambda_.Function:
        """Create the function that creates indexes; it deletes its own if another process created one concurrently."""
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
        """Create the function that sweeps, compares and promotes.

        Requests for the next page of a listing and for alias changes name their index only in the body, so their paths
        are allowed as a whole.
        """
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
            definition_substitutions={
                f"{name}FunctionArn": function.function_arn for name, function in functions.items()
            },
            timeout=Duration.days(_MAX_DAYS),
            # Execution data contains keys of items: each slice starts at the last key of the one before.
            logs=stepfunctions.LogOptions(
                destination=log_group(self, "MachineLogs"),
                level=stepfunctions.LogLevel.ALL,
                include_execution_data=False,
            ),
        )
        reason = "CDK grants log delivery, whose actions AWS does not restrict to log groups."
        acknowledge_wildcard(role, "*", reason)
        acknowledge(
            machine, "AwsSolutions-SF2", "Its history and logs record every step; tracing would duplicate them."
        )
        return machine


def start_command(machine: stepfunctions.StateMachine) -> str:
    """Return the command that starts a backfill."""
    region = Stack.of(machine).region
    return f"aws stepfunctions start-execution --region {region} --state-machine-arn {machine.state_machine_arn}"
