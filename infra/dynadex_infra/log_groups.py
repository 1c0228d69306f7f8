"""Log groups: kept for three months, and longer than the stack that made them."""

from __future__ import annotations

from aws_cdk import RemovalPolicy
from aws_cdk import aws_logs as logs
from constructs import Construct


def log_group(scope: Construct, name: str) -> logs.LogGroup:
    """A log group that outlives its stack."""
    kept = logs.RetentionDays.THREE_MONTHS
    return logs.LogGroup(scope, name, retention=kept, removal_policy=RemovalPolicy.RETAIN)
