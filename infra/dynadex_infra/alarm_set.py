"""CloudWatch alarms: each describes what it means and what to do, and notifies the SNS topic of its region, if any.

The constructs add their own: SearchDomain, StreamIndexer, Refill and SearchService each have ``add_alarms``.
"""

from __future__ import annotations

from aws_cdk import Aws, Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from constructs import Construct

from dynadex_infra.settings import SyncCode

STREAM_RETENTION_HOURS = 24
# Shares of the stream's retention: the first leaves a day to react, the second is urgent.
ITERATOR_AGE_SHARES = {"Lag": 0.15, "LagCritical": 0.5}
MINUTE = Duration.minutes(1)
_FIVE_MINUTES = Duration.minutes(5)
_HOUR_MILLISECONDS = 3_600_000


class AlarmSet:
    """Adds alarms to a construct.

    Args:
        scope: Construct that gets the alarms.
        topic_arn: SNS topic to notify; without one, alarms show only in the console.
    """

    def __init__(self, scope: Construct, topic_arn: str | None = None) -> None:
        self._scope = scope
        self._topic = sns.Topic.from_topic_arn(scope, "AlarmTopic", topic_arn) if topic_arn else None

    def add(
        self,
        name: str,
        metric: cloudwatch.Metric,
        threshold: float,
        description: str,
        *,
        periods: int = 1,
        below: bool = False,
    ) -> cloudwatch.Alarm:
        """Add an alarm.

        Args:
            name: Start of the construct's id.
            metric: Metric to watch. Missing data never breaches.
            threshold: In the unit of the metric.
            description: What the alarm means and what to do.
            periods: Number of consecutive periods that must breach.
            below: Alarm at or below the threshold instead of at or above it.
        """
        operator = cloudwatch.ComparisonOperator
        alarm = metric.create_alarm(
            self._scope,
            f"{name}Alarm",
            threshold=threshold,
            evaluation_periods=periods,
            comparison_operator=(
                operator.LESS_THAN_OR_EQUAL_TO_THRESHOLD if below else operator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD
            ),
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
            alarm_description=description,
        )
        if self._topic:
            alarm.add_alarm_action(actions.SnsAction(self._topic))
        return alarm

    def add_iterator_age(self, metric: cloudwatch.Metric) -> None:
        """Add an alarm for each share of the stream's retention."""
        for name, share in ITERATOR_AGE_SHARES.items():
            hours = STREAM_RETENTION_HOURS * share
            description = (
                f"The index is {hours:g} hours behind the table. The stream loses changes after "
                f"{STREAM_RETENTION_HOURS} hours. Check the log of the stream function and the health of the search "
                "domain; the function catches up once both work. If changes are lost, start a backfill (stack output "
                "`StartRefill`)."
            )
            self.add(f"Stream{name}", metric, hours * _HOUR_MILLISECONDS, description)


def domain_metric(domain: str, name: str, statistic: str = "Maximum") -> cloudwatch.Metric:
    """Return a metric of an OpenSearch Service domain."""
    return cloudwatch.Metric(
        namespace="AWS/ES",
        metric_name=name,
        dimensions_map={"DomainName": domain, "ClientId": Aws.ACCOUNT_ID},
        statistic=statistic,
        period=MINUTE,
    )


def sync_metric(code: SyncCode, name: str, statistic: str = "Sum") -> cloudwatch.Metric:
    """Return a metric that the functions log, with the dimensions that `dynadex.aws` gives it."""
    return cloudwatch.Metric(
        namespace="dynadex",
        metric_name=name,
        dimensions_map={"service": "dynadex", "table": code.table, "index": code.index},
        statistic=statistic,
        period=_FIVE_MINUTES,
    )
