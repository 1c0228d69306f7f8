"""Findings of cdk-nag that are meant: each with the reason, next to the resource it is about."""

from __future__ import annotations

from typing import Any

from aws_cdk import Acknowledgment, Stack, Validations
from constructs import IConstruct


def acknowledge(resource: IConstruct, finding: str, reason: str) -> None:
    """Say why a rule does not hold for a resource, or for what is below it."""
    Validations.of(resource).acknowledge(Acknowledgment(id=finding, reason=reason))


def acknowledge_wildcard(role: IConstruct, arn: str, reason: str) -> None:
    """Say why one policy of a role names a resource with a ``*``; others of the same role are not excused by it."""
    acknowledge(role, f"AwsSolutions-IAM5[Resource::{_told(Stack.of(role).resolve(arn))}]", reason)


def _told(arn: Any) -> str:
    """An ARN with CloudFormation's functions in it, as cdk-nag writes it."""
    if isinstance(arn, str):
        return arn
    [(function, content)] = arn.items()
    if function == "Fn::Join":
        return str(content[0]).join(_told(part) for part in content[1])
    return f"<{content if function == 'Ref' else '.'.join(content)}>"
