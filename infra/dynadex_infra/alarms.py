"""Alarms, all of one kind: each says in words what it means, and goes to the topic of its region, if there is one."""

from __future__ import annotations

from aws_cdk import Aws, Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from constructs import Construct

from dynadex_infra.settings import SyncCode

STREAM_RETENTION_HOURS = 24
# Shares of the stream's retention: at the first there is time to look, at the second changes are soon lost.
ITERATOR_AGE_SHARES = {"Late": 0.15, "VeryLate": 0.5}
MINUTE = Duration.minutes(1)
_FIVE_MINUTES = Duration.minutes(5)
_HOUR_MILLISECONDS = 3_600_000


class AlarmSet:
    """Adds alarms to a construct."""

    def __init__(self, scope: Construct, topic_arn: str | None = None) -> None:
        self._scope = scope
        self._topic = sns.Topic.from_topic_arn(scope, "AlarmTopic", topic_arn) if topic_arn else None

    def add(
        self,
        name: str,
        metric: cloudwatch.Metric,
        threshold: float,
        meaning: str,
        *,
        periods: int = 1,
        below: bool = False,
    ) -> cloudwatch.Alarm:
        """One that rings when the metric reaches the threshold for so many periods; silence is no alarm."""
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
            alarm_description=meaning,
        )
        if self._topic:
            alarm.add_alarm_action(actions.SnsAction(self._topic))
        return alarm

    def add_iterator_age(self, metric: cloudwatch.Metric) -> None:
        """At each share of the stream's retention."""
        for name, share in ITERATOR_AGE_SHARES.items():
            hours = STREAM_RETENTION_HOURS * share
            self.add(
                f"Stream{name}", metric, hours * _HOUR_MILLISECONDS,
                f"Changes wait for {hours:g} hours: after {STREAM_RETENTION_HOURS} the stream forgets them.",
            )  # fmt: skip


def domain_metric(domain: str, name: str, statistic: str = "Maximum") -> cloudwatch.Metric:
    """A metric of an OpenSearch Service domain."""
    return cloudwatch.Metric(
        namespace="AWS/ES",
        metric_name=name,
        dimensions_map={"DomainName": domain, "ClientId": Aws.ACCOUNT_ID},
        statistic=statistic,
        period=MINUTE,
    )


def sync_metric(code: SyncCode, name: str, statistic: str = "Sum") -> cloudwatch.Metric:
    """A metric that the functions print, by the dimensions that `dynadex.aws` gives it."""
    return cloudwatch.Metric(
        namespace="dynadex",
        metric_name=name,
        dimensions_map={"service": "dynadex", "table": code.table, "index": code.index},
        statistic=statistic,
        period=_FIVE_MINUTES,
    )
