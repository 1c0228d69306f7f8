"""The table that holds the items, kept if its stack is deleted, and the state table, which can be recreated."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct

from dynadex_infra.acknowledged import acknowledge

_RECOVERY = dynamodb.PointInTimeRecoverySpecification(point_in_time_recovery_enabled=True, recovery_period_in_days=35)


class LessonsTable(Construct):
    """A table with the partition key ``id``, optionally with replicas in other regions.

    At most one function should read the stream of a table with replicas, because the replication reads it too.

    Args:
        scope: Parent construct.
        name: Id of the construct.
        table_name: Name of the table.
        replicas: Regions of the replicas.
        strong: Make every read see the last write of every region; requires exactly three regions.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        table_name: str,
        replicas: Sequence[str] = (),
        strong: bool = False,
    ) -> None:
        super().__init__(scope, name)
        consistency = dynamodb.MultiRegionConsistency
        self.table = dynamodb.TableV2(
            self,
            "Table",
            table_name=table_name,
            partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING),
            dynamo_stream=dynamodb.StreamViewType.NEW_AND_OLD_IMAGES,
            point_in_time_recovery_specification=_RECOVERY,
            deletion_protection=True,
            removal_policy=RemovalPolicy.RETAIN,
            multi_region_consistency=consistency.STRONG if strong else None,
            replicas=[
                dynamodb.ReplicaTableProps(
                    region=region, point_in_time_recovery_specification=_RECOVERY, deletion_protection=True
                )
                for region in replicas
            ],
        )


class StateTable(Construct):
    """Table ``TABLE-dynadex`` for the state of dynadex; a backfill recreates all of its content."""

    def __init__(self, scope: Construct, name: str, *, table_name: str) -> None:
        super().__init__(scope, name)
        text = dynamodb.AttributeType.STRING
        self.table = dynamodb.TableV2(
            self,
            "Table",
            table_name=f"{table_name}-dynadex",
            partition_key=dynamodb.Attribute(name="sync", type=text),
            sort_key=dynamodb.Attribute(name="what", type=text),
            removal_policy=RemovalPolicy.DESTROY,
        )
        acknowledge(
            self.table, "AwsSolutions-DDB3", "It holds checkpoints and backfill state, which a backfill recreates."
        )
