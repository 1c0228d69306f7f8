"""Lambda functions, each of which runs one handler of a Sync with its own role and log group."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aws_cdk import Duration
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from dynadex_infra.acknowledged import acknowledge
from dynadex_infra.log_groups import log_group
from dynadex_infra.search_domain import DomainReference
from dynadex_infra.settings import SyncCode

RUNTIME = lambda_.Runtime.PYTHON_3_13
# Reserved in each invocation for dead letters and the response, as in dynadex.aws.steps.
RESERVE_SECONDS = 3
_ARCHITECTURES = {"arm64": lambda_.Architecture.ARM_64, "x86_64": lambda_.Architecture.X86_64}


@dataclass(frozen=True, slots=True)
class Sizing:
    """Timeouts and memory of a function.

    Attributes:
        timeout_seconds: Longest invocation.
        request_seconds: Timeout of one request to the search cluster. At least three fit into an invocation, so that
            no request outlives it and failures can be reported.
        memory_mib: Memory in MiB.
    """

    timeout_seconds: int
    request_seconds: int
    memory_mib: int = 1024


def sync_function(
    scope: Construct,
    name: str,
    code: SyncCode,
    handler: str,
    sizing: Sizing,
    domain: DomainReference,
    environment: Mapping[str, str] | None = None,
) -> lambda_.Function:
    """Create the function for a handler of `dynadex.aws.deployed`. Its role may only write logs so far."""
    group = log_group(scope, f"{name}Logs")
    function = lambda_.Function(
        scope,
        name,
        code=lambda_.Code.from_asset(str(code.package)),
        handler=f"dynadex.aws.deployed.{handler}",
        runtime=RUNTIME,
        architecture=_ARCHITECTURES[code.architecture],
        memory_size=sizing.memory_mib,
        timeout=Duration.seconds(sizing.timeout_seconds),
        role=function_role(scope, f"{name}Role", group),
        log_group=group,
        environment={
            "DYNADEX_SYNC": code.reference,
            "DYNADEX_OPENSEARCH_ENDPOINT": domain.endpoint,
            "DYNADEX_OPENSEARCH_AUTH": "sigv4",
            "DYNADEX_OPENSEARCH_TIMEOUT_SECONDS": str(sizing.request_seconds),
            **(environment or {}),
        },
    )
    acknowledge_runtime(function)
    return function


def function_role(scope: Construct, name: str, group: logs.ILogGroup) -> iam.Role:
    """Create a role for a function that may write to one log group."""
    role = iam.Role(scope, name, assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    allow(role, ["logs:CreateLogStream", "logs:PutLogEvents"], [group.log_group_arn])
    return role


def allow(role: iam.IRole | None, actions: list[str], resources: list[str]) -> None:
    """Allow a role these actions on these resources."""
    assert role
    role.add_to_principal_policy(iam.PolicyStatement(actions=actions, resources=resources))


def allow_reading(function: lambda_.Function, table: dynamodb.ITable, *, scan: bool = False) -> None:
    """Allow a function to read items by key and, with ``scan``, all items."""
    actions = ["dynamodb:BatchGetItem", "dynamodb:DescribeTable", *(["dynamodb:Scan"] if scan else [])]
    allow(function.role, actions, [table.table_arn])


def acknowledge_runtime(function: lambda_.Function) -> None:
    """Acknowledge that the runtime is not the newest: the package's wheels are built for this one."""
    acknowledge(function, "AwsSolutions-L1", "The wheels in the package are built for this runtime.")
