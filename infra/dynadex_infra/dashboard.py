"""CloudWatch dashboard that follows a change from the table through stream, function and index to the search."""

from __future__ import annotations

from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from dynadex_infra.alarm_set import MINUTE, domain_metric, sync_metric
from dynadex_infra.refill import Refill
from dynadex_infra.search_domain import DomainReference
from dynadex_infra.search_service import SearchService
from dynadex_infra.settings import SyncCode
from dynadex_infra.stream_indexer import StreamIndexer

_WIDTH = 8
_OUTCOMES = ("ChangesApplied", "Superseded", "Reconciled", "NotIndexed", "DeadLettered", "Failed", "Retries")


class SyncDashboard(Construct):
    """Dashboard of one region."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        code: SyncCode,
        domain: DomainReference,
        indexer: StreamIndexer,
        refill: Refill,
        service: SearchService,
    ) -> None:
        super().__init__(scope, name)
        rows = [
            [_table_writes(code), _lag(code, indexer), _function(indexer)],
            [_outcomes(code), _dead_letters(indexer), _refills(refill)],
            [_cluster(domain), _bulk_requests(code), _searches(domain)],
            [_responses(service)],
        ]
        self.dashboard = cloudwatch.Dashboard(self, "Dashboard", widgets=[[*row] for row in rows])


def _graph(title: str, *metrics: cloudwatch.IMetric) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(title=title, left=list(metrics), width=_WIDTH)


def _table_writes(code: SyncCode) -> cloudwatch.GraphWidget:
    units = cloudwatch.Metric(
        namespace="AWS/DynamoDB",
        metric_name="ConsumedWriteCapacityUnits",
        dimensions_map={"TableName": code.table},
        statistic="Sum",
        period=MINUTE,
    )
    return _graph("1 Writes to the table", units)


def _lag(code: SyncCode, indexer: StreamIndexer) -> cloudwatch.GraphWidget:
    age = indexer.function.metric("IteratorAge", statistic="Maximum", period=MINUTE)
    return _graph("2 Lag of the stream", age, sync_metric(code, "LagSeconds", "Maximum"))


def _function(indexer: StreamIndexer) -> cloudwatch.GraphWidget:
    function = indexer.function
    metrics = (function.metric_invocations(), function.metric_errors(), function.metric_throttles())
    return _graph("3 Stream function", *metrics, function.metric_duration(statistic="p95"))


def _outcomes(code: SyncCode) -> cloudwatch.GraphWidget:
    return _graph("4 Outcomes of changes", *(sync_metric(code, name) for name in _OUTCOMES))


def _dead_letters(indexer: StreamIndexer) -> cloudwatch.GraphWidget:
    queues = (indexer.dead_letters, indexer.discarded)
    metrics = (queue.metric_approximate_number_of_messages_visible() for queue in queues)
    return _graph("Dead letters, discarded batches", *metrics)


def _refills(refill: Refill) -> cloudwatch.GraphWidget:
    machine = refill.machine
    return _graph("Refills", machine.metric_started(), machine.metric_succeeded(), machine.metric_failed())


def _cluster(domain: DomainReference) -> cloudwatch.GraphWidget:
    names = ("ClusterStatus.red", "ClusterStatus.yellow", "CPUUtilization", "JVMMemoryPressure")
    return _graph("5 Search cluster", *(domain_metric(domain.name, name) for name in names))


def _bulk_requests(code: SyncCode) -> cloudwatch.GraphWidget:
    statistics = ("Average", "Maximum")
    seconds = (sync_metric(code, "BulkSeconds", statistic) for statistic in statistics)
    return _graph("Slowest bulk request of a batch", *seconds)


def _searches(domain: DomainReference) -> cloudwatch.GraphWidget:
    names = ("IndexingRate", "IndexingLatency", "SearchRate", "SearchLatency")
    return _graph("6 Indexing and searches", *(domain_metric(domain.name, name, "Average") for name in names))


def _responses(service: SearchService) -> cloudwatch.GraphWidget:
    api = service.api
    metrics = (api.metric_count(), api.metric_client_error(), api.metric_server_error())
    return _graph("7 HTTP responses", *metrics, api.metric_latency(statistic="p95"))
