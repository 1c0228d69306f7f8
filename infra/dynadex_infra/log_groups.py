"""Log groups with a retention of three months, kept when their stack is deleted."""

from __future__ import annotations

from aws_cdk import RemovalPolicy
from aws_cdk import aws_logs as logs
from constructs import Construct


def log_group(scope: Construct, name: str) -> logs.LogGroup:
    """Create a log group that outlives its stack."""
    retention = logs.RetentionDays.THREE_MONTHS
    return logs.LogGroup(scope, name, retention=retention, removal_policy=RemovalPolicy.RETAIN)
