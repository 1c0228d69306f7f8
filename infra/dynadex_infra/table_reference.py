"""Reference a table by name in the region of its stack; the ARN of its stream is looked up on deployment."""

from __future__ import annotations

from pathlib import Path

from aws_cdk import ArnFormat, CustomResource, Duration, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from dynadex_infra.functions import RUNTIME, acknowledge_runtime, allow, function_role
from dynadex_infra.log_groups import log_group

_LOOKUP = Path(__file__).parent / "stream_lookup" / "index.py"


class TableReference(Construct):
    """A table that this stack does not create: an existing table, a replica, or one of another stack.

    The ARN of a stream contains the time at which it was enabled, so it is unknown before deployment.

    Args:
        scope: Parent construct.
        name: Id of the construct.
        table_name: Name of the table.
        version: Any text; change it to look the stream up again after it was disabled and enabled.
    """

    def __init__(self, scope: Construct, name: str, table_name: str, version: str = "1") -> None:
        super().__init__(scope, name)
        arn = Stack.of(self).format_arn(
            service="dynamodb", resource="table", resource_name=table_name, arn_format=ArnFormat.SLASH_RESOURCE_NAME
        )
        lookup = CustomResource(
            self,
            "Stream",
            service_token=self._function(arn).function_arn,
            resource_type="Custom::TableStream",
            properties={"TableName": table_name, "Version": version},
        )
        self.table = dynamodb.Table.from_table_attributes(
            self, "Table", table_arn=arn, table_stream_arn=lookup.get_att_string("StreamArn")
        )

    def _function(self, table_arn: str) -> lambda_.Function:
        group = log_group(self, "LookupLogs")
        role = function_role(self, "LookupRole", group)
        allow(role, ["dynamodb:DescribeTable"], [table_arn])
        function = lambda_.Function(
            self,
            "Lookup",
            code=lambda_.Code.from_inline(_LOOKUP.read_text(encoding="utf-8")),
            handler="index.handler",
            runtime=RUNTIME,
            timeout=Duration.seconds(60),
            role=role,
            log_group=group,
        )
        acknowledge_runtime(function)
        return function
