"""Acknowledge findings of cdk-nag, each with its reason, next to the resource concerned."""

from __future__ import annotations

from typing import Any

from aws_cdk import Acknowledgment, Stack, Validations
from constructs import IConstruct


def acknowledge(resource: IConstruct, finding: str, reason: str) -> None:
    """Acknowledge a finding for a resource and its children."""
    Validations.of(resource).acknowledge(Acknowledgment(id=finding, reason=reason))


def acknowledge_wildcard(role: IConstruct, arn: str, reason: str) -> None:
    """Acknowledge one ARN with a ``*`` in the policies of a role; other ARNs of the role are still reported."""
    acknowledge(role, f"AwsSolutions-IAM5[Resource::{_in_nag_notation(Stack.of(role).resolve(arn))}]", reason)


def _in_nag_notation(arn: Any) -> str:
    """Return an ARN with CloudFormation functions in the notation of cdk-nag's findings."""
    if isinstance(arn, str):
        return arn
    [(function, content)] = arn.items()
    if function == "Fn::Join":
        return str(content[0]).join(_in_nag_notation(part) for part in content[1])
    return f"<{content if function == 'Ref' else '.'.join(content)}>"
