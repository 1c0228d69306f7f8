"""The table that is the truth, kept whatever happens to its stack; and the one beside it, which is not."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct

from dynadex_infra.acknowledged import acknowledge

_RECOVERY = dynamodb.PointInTimeRecoverySpecification(point_in_time_recovery_enabled=True, recovery_period_in_days=35)


class LessonsTable(Construct):
    """A table with the partition key ``id``, in its stack's region and, as replicas, in others.

    ``strong`` makes a read see the last write of every region; it takes exactly three. The stream of a table that has
    replicas should be read by one function alone, since the replication reads it, too.
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
    """What dynadex keeps for itself beside a table: every word of it can be made again by a refill."""

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
        acknowledge(self.table, "AwsSolutions-DDB3", "Positions and notes of refills: a refill makes them again.")
