"""Index the changes of a table: the stream function, its event source, and the queues for failures."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from dynadex_infra.acknowledged import acknowledge, acknowledge_wildcard
from dynadex_infra.alarm_set import MINUTE, AlarmSet
from dynadex_infra.functions import RESERVE_SECONDS, Sizing, allow, allow_reading, sync_function
from dynadex_infra.search_domain import DomainReference, alias_paths, index_paths
from dynadex_infra.settings import StreamOptions, SyncCode

_MAX_REQUEST_SECONDS = 15
_RETENTION = Duration.days(14)


class StreamIndexer(Construct):
    """Follows the stream of a table whose ``table_stream_arn`` is set.

    Attributes:
        dead_letters: Queue of keys that cannot be indexed, with their reasons, for `dynadex redrive`.
        discarded: Queue of Lambda's reports of batches that it discarded as too old; a backfill repairs the index.
        function: The stream function.
        options: Options of the event source mapping.
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
        self.discarded = self._queue("DiscardedBatches")
        dead_lettering = {"DYNADEX_DEAD_LETTERS": self.dead_letters.queue_url}
        sizing = _sizing(self.options.timeout_seconds)
        self.function = sync_function(self, "Stream", code, "stream", sizing, domain, dead_lettering)
        allow_indexing(self.function, code, table, domain, self.dead_letters)
        self.function.add_event_source(self._source(table))
        reason = "CDK grants dynamodb:ListStreams to readers of a stream; AWS does not restrict it to a table."
        assert self.function.role
        acknowledge_wildcard(self.function.role, "*", reason)

    def add_alarms(self, alarms: AlarmSet) -> None:
        """Add alarms for lag, errors, throttles, dead letters and discarded batches."""
        function = self.function
        alarms.add_iterator_age(function.metric("IteratorAge", statistic="Maximum", period=MINUTE))
        alarms.add(
            "StreamErrors", function.metric_errors(period=MINUTE), 1,
            "The stream function has failed for three minutes; Lambda retries until the records are "
            f"{self.options.max_record_age_hours} hours old. Read the cause in the function's log.", periods=3,
        )  # fmt: skip
        alarms.add(
            "StreamThrottles", function.metric_throttles(period=MINUTE), 1,
            "Lambda has throttled the stream function for three minutes, so the index falls behind the table. Raise "
            "the account's concurrency limit, or reserve concurrency for the function.", periods=3,
        )  # fmt: skip
        for queue, description in (
            (
                self.dead_letters,
                "Some items cannot be indexed; all others are. `dynadex redrive --dry-run` lists them with their "
                "reasons. Correct the items or the Sync, then run `dynadex redrive`.",
            ),
            (
                self.discarded,
                "Batches of changes failed until Lambda discarded them as too old, so the index is stale. Correct the "
                "cause, start a backfill (stack output `StartRefill`), then purge this queue.",
            ),
        ):
            visible = queue.metric_approximate_number_of_messages_visible(period=MINUTE, statistic="Maximum")
            alarms.add(queue.node.id, visible, 1, description)

    def _source(self, table: dynamodb.ITable) -> sources.DynamoEventSource:
        return sources.DynamoEventSource(
            table,
            # A function deployed late starts with the oldest change that the stream still holds.
            starting_position=lambda_.StartingPosition.TRIM_HORIZON,
            batch_size=self.options.batch_size,
            max_batching_window=Duration.seconds(self.options.batch_window_seconds),
            parallelization_factor=self.options.parallelization,
            report_batch_item_failures=True,
            bisect_batch_on_error=True,
            # Retry until the records are too old: discarding them earlier would lose changes during an outage.
            max_record_age=Duration.hours(self.options.max_record_age_hours),
            on_failure=sources.SqsDlq(self.discarded),
        )

    def _queue(self, name: str) -> sqs.Queue:
        queue = sqs.Queue(
            self, name, encryption=sqs.QueueEncryption.SQS_MANAGED, enforce_ssl=True, retention_period=_RETENTION
        )
        acknowledge(queue, "AwsSolutions-SQS3", "The queue is a dead-letter queue itself.")
        return queue


def _sizing(timeout_seconds: int) -> Sizing:
    return Sizing(timeout_seconds, min(_MAX_REQUEST_SECONDS, (timeout_seconds - RESERVE_SECONDS) // 3))


def allow_indexing(
    function: lambda_.Function,
    code: SyncCode,
    table: dynamodb.ITable,
    domain: DomainReference,
    dead_letters: sqs.IQueue,
) -> None:
    """Allow a function to write an index: bulk requests, reads of items to break ties, and dead letters."""
    allow_reading(function, table)
    allow(function.role, ["sqs:SendMessage"], [dead_letters.queue_arn])
    domain.allow(function.role, ["GET"], alias_paths(code.index))
    domain.allow(function.role, ["POST"], index_paths(code.index))
