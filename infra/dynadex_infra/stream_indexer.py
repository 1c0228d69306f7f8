"""From a table's stream to an index: the function, its event source, and what happens to what it cannot do."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from dynadex_infra.acknowledged import acknowledge, acknowledge_wildcard
from dynadex_infra.alarms import MINUTE, AlarmSet
from dynadex_infra.functions import RESERVE_SECONDS, Sizing, allow, allow_reading, sync_function
from dynadex_infra.search_domain import DomainReference, alias_paths, index_paths
from dynadex_infra.settings import StreamOptions, SyncCode

_MAX_REQUEST_SECONDS = 15
_KEPT = Duration.days(14)


class StreamIndexer(Construct):
    """Follows the stream of a table whose ``table_stream_arn`` is known.

    ``dead_letters`` holds the keys that could not be indexed, each with its reason: `dynadex redrive` takes them from
    there. ``given_up`` holds what Lambda tells of batches that failed until they were too old: after that, refill.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        code: SyncCode,
        table: dynamodb.ITable,
        domain: DomainReference,
        options: StreamOptions | None = None,
    ) -> None:
        super().__init__(scope, name)
        self.options = options or StreamOptions()
        self.dead_letters = self._queue("DeadLetters")
        self.given_up = self._queue("GivenUp")
        dead_lettering = {"DYNADEX_DEAD_LETTERS": self.dead_letters.queue_url}
        sizing = _sizing(self.options.timeout_seconds)
        self.function = sync_function(self, "Stream", code, "stream", sizing, domain, dead_lettering)
        allow_indexing(self.function, code, table, domain, self.dead_letters)
        self.function.add_event_source(self._source(table))
        reason = "dynamodb:ListStreams, which CDK grants to whoever reads a stream, can be limited to no table."
        assert self.function.role
        acknowledge_wildcard(self.function.role, "*", reason)

    def add_alarms(self, alarms: AlarmSet) -> None:
        """Late changes, dead-lettered keys, batches given up, errors and throttles."""
        function = self.function
        alarms.add_iterator_age(function.metric("IteratorAge", statistic="Maximum", period=MINUTE))
        alarms.add("StreamErrors", function.metric_errors(period=MINUTE), 1, "The function failed.", periods=3)
        alarms.add("StreamThrottles", function.metric_throttles(period=MINUTE), 1, "It may not run.", periods=3)
        for queue, meaning in (
            (self.dead_letters, "Keys could not be indexed: `dynadex redrive --dry-run` tells why."),
            (self.given_up, "Changes were given up: refill the index, then empty this queue."),
        ):
            visible = queue.metric_approximate_number_of_messages_visible(period=MINUTE, statistic="Maximum")
            alarms.add(queue.node.id, visible, 1, meaning)

    def _source(self, table: dynamodb.ITable) -> sources.DynamoEventSource:
        return sources.DynamoEventSource(
            table,
            # A function deployed late has missed nothing that the stream still remembers.
            starting_position=lambda_.StartingPosition.TRIM_HORIZON,
            batch_size=self.options.batch_size,
            max_batching_window=Duration.seconds(self.options.batch_window_seconds),
            parallelization_factor=self.options.parallelization,
            report_batch_item_failures=True,
            bisect_batch_on_error=True,
            # Retried until too old: giving up earlier would lose changes to a cluster that is only away.
            max_record_age=Duration.hours(self.options.max_record_age_hours),
            on_failure=sources.SqsDlq(self.given_up),
        )

    def _queue(self, name: str) -> sqs.Queue:
        queue = sqs.Queue(
            self, name, encryption=sqs.QueueEncryption.SQS_MANAGED, enforce_ssl=True, retention_period=_KEPT
        )
        acknowledge(queue, "AwsSolutions-SQS3", "It is a dead-letter queue itself.")
        return queue


def _sizing(timeout_seconds: int) -> Sizing:
    return Sizing(timeout_seconds, min(_MAX_REQUEST_SECONDS, (timeout_seconds - RESERVE_SECONDS) // 3))


def allow_indexing(
    function: lambda_.Function,
    code: SyncCode,
    table: dynamodb.ITable,
    domain: DomainReference,
    dead_lettered: sqs.IQueue,
) -> None:
    """What a function needs that writes an index: the bulk, reads to settle ties, and the dead letters."""
    allow_reading(function, table)
    allow(function.role, ["sqs:SendMessage"], [dead_lettered.queue_arn])
    domain.allow(function.role, ["GET"], alias_paths(code.index))
    domain.allow(function.role, ["POST"], index_paths(code.index))
