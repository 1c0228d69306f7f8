"""An OpenSearch Service domain, and the permissions of roles on the indexes of one Sync in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aws_cdk import Aws, CfnUpdatePolicy, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_opensearchservice as opensearch
from constructs import Construct

from dynadex_infra.acknowledged import acknowledge, acknowledge_wildcard
from dynadex_infra.alarm_set import AlarmSet, domain_metric
from dynadex_infra.log_groups import log_group
from dynadex_infra.settings import DomainSize

_LOGS = ("ES_APPLICATION_LOGS", "SEARCH_SLOW_LOGS", "INDEX_SLOW_LOGS")
# Alarm while a node still accepts shards; it rejects them when its volume is fuller.
_MIN_FREE_SHARE = 0.25
_MIB_PER_GIB = 1024


@dataclass(frozen=True, slots=True)
class DomainReference:
    """A domain: its ARN, its endpoint (a host name without a scheme) and its name (the last part of the ARN)."""

    arn: str
    endpoint: str
    name: str

    def allow(self, role: iam.IRole | None, methods: Sequence[str], paths: Sequence[str]) -> None:
        """Allow a role to send requests with these methods to these paths."""
        assert role
        actions = [f"es:ESHttp{method.capitalize()}" for method in methods]
        resources = [f"{self.arn}/{path}" for path in paths]
        role.add_to_principal_policy(iam.PolicyStatement(actions=actions, resources=resources))
        reason = "Index names end with their creation time, so a policy can only name their prefix."
        for resource in resources:
            if "*" in resource:
                acknowledge_wildcard(role, resource, reason)


def index_paths(index: str) -> list[str]:
    """Return the paths of a Sync's indexes and aliases: ``lessons/_search``, ``lessons-20261124054500/_bulk``."""
    return [index, f"{index}/*", f"{index}-*"]


def alias_paths(index: str) -> list[str]:
    """Return the paths that look up the aliases of a Sync."""
    return [f"_alias/{index}", f"_alias/{index}-*"]


class SearchDomain(Construct):
    """A domain for one Sync, encrypted at rest and in transit, that accepts only signed requests of this account.

    The policy of each role limits its permissions further. Auto-Tune has no property in CloudFormation; the service
    enables it for instance types that support it. The domain is deleted with its stack: a backfill recreates the index.
    """

    def __init__(self, scope: Construct, name: str, size: DomainSize | None = None) -> None:
        super().__init__(scope, name)
        self.size = size or DomainSize()
        groups = {kind: log_group(self, kind.title().replace("_", "")) for kind in _LOGS}
        policy = self._log_policy(groups)
        self.domain = opensearch.CfnDomain(
            self,
            "Domain",
            engine_version=self.size.version,
            access_policies=_signed_by_this_account(),
            # Policies see only the path of a request, so a request body must not name another index.
            advanced_options={"rest.action.multi.allow_explicit_index": "false"},
            cluster_config=self._cluster(),
            ebs_options=opensearch.CfnDomain.EBSOptionsProperty(
                ebs_enabled=True, volume_type="gp3", volume_size=self.size.volume_gib
            ),
            encryption_at_rest_options=opensearch.CfnDomain.EncryptionAtRestOptionsProperty(enabled=True),
            node_to_node_encryption_options=opensearch.CfnDomain.NodeToNodeEncryptionOptionsProperty(enabled=True),
            domain_endpoint_options=opensearch.CfnDomain.DomainEndpointOptionsProperty(
                enforce_https=True, tls_security_policy="Policy-Min-TLS-1-2-PFS-2023-10"
            ),
            off_peak_window_options=opensearch.CfnDomain.OffPeakWindowOptionsProperty(enabled=True),
            software_update_options=opensearch.CfnDomain.SoftwareUpdateOptionsProperty(
                auto_software_update_enabled=True
            ),
            log_publishing_options={
                kind: opensearch.CfnDomain.LogPublishingOptionProperty(
                    enabled=True, cloud_watch_logs_log_group_arn=group.log_group_arn
                )
                for kind, group in groups.items()
            },
        )
        self.domain.node.add_dependency(policy)
        self.domain.apply_removal_policy(RemovalPolicy.DESTROY)
        self.domain.cfn_options.update_policy = CfnUpdatePolicy(enable_version_upgrade=True)
        self.reference = DomainReference(self.domain.attr_arn, self.domain.attr_domain_endpoint, self.domain.ref)
        self._acknowledge()

    def add_alarms(self, alarms: AlarmSet) -> None:
        """Add alarms for missing shards, full volumes and blocked writes."""
        name = self.reference.name
        alarms.add(
            "ClusterRed", domain_metric(name, "ClusterStatus.red"), 1,
            "A primary shard of the search domain is missing: searches and indexing fail. Check the domain's cluster "
            "health. If an index is lost, start a backfill (stack output `StartRefill`).",
        )  # fmt: skip
        alarms.add(
            "ClusterYellow", domain_metric(name, "ClusterStatus.yellow"), 1,
            "A replica shard of the search domain is missing: searches still work, but fail if another node is lost. "
            "Check that all nodes run and have free storage.", periods=5,
        )  # fmt: skip
        min_free_mib = self.size.volume_gib * _MIB_PER_GIB * _MIN_FREE_SHARE
        alarms.add(
            "StorageLow", domain_metric(name, "FreeStorageSpace", "Minimum"), min_free_mib,
            "A node of the search domain has 25 % of its storage left or less. Increase volume_gib before the "
            "domain blocks writes.", below=True,
        )  # fmt: skip
        alarms.add(
            "WritesBlocked", domain_metric(name, "ClusterIndexWritesBlocked"), 1,
            "The search domain blocks writes, so the index falls behind the table. Free storage or memory: increase "
            "volume_gib or the instance type. Indexing resumes when writes are accepted.",
        )  # fmt: skip

    def _cluster(self) -> opensearch.CfnDomain.ClusterConfigProperty:
        several = self.size.nodes > 1
        zones = opensearch.CfnDomain.ZoneAwarenessConfigProperty(availability_zone_count=2)
        return opensearch.CfnDomain.ClusterConfigProperty(
            instance_type=self.size.instance,
            instance_count=self.size.nodes,
            zone_awareness_enabled=several,
            zone_awareness_config=zones if several else None,
        )

    def _log_policy(self, groups: dict[str, logs.LogGroup]) -> logs.CfnResourcePolicy:
        """Allow the service, on behalf of this account, to write to these log groups."""
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "es.amazonaws.com"},
            "Action": ["logs:CreateLogStream", "logs:PutLogEvents", "logs:PutLogEventsBatch"],
            "Resource": [group.log_group_arn for group in groups.values()],
            "Condition": {"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}},
        }
        document = {"Version": "2012-10-17", "Statement": [statement]}
        stack = Stack.of(self)
        return logs.CfnResourcePolicy(
            self,
            "LogPolicy",
            policy_name=f"{stack.stack_name}-{self.node.id}-logs",
            policy_document=stack.to_json_string(document),
        )

    def _acknowledge(self) -> None:
        domain = self.domain
        reason = "Access takes signed requests over TLS; a VPC would add NAT and endpoints to every function."
        acknowledge(domain, "AwsSolutions-OS1", reason)
        acknowledge(domain, "AwsSolutions-OS3", "Lambda has no fixed IP addresses; requests are signed instead.")
        reason = "Dedicated masters pay off from about ten data nodes; a backfill recreates the index."
        acknowledge(domain, "AwsSolutions-OS4", reason)
        if self.size.nodes == 1:
            acknowledge(
                domain, "AwsSolutions-OS7", "A single node is configured, for trials; a backfill recreates the index."
            )


def _signed_by_this_account() -> dict[str, object]:
    """Return an access policy that delegates to the policies of this account's roles and rejects anonymous requests.

    The ``*`` covers every index; the policy of each role names only its own.
    """
    account = f"arn:{Aws.PARTITION}:iam::{Aws.ACCOUNT_ID}:root"
    region_arn = f"arn:{Aws.PARTITION}:es:{Aws.REGION}:{Aws.ACCOUNT_ID}:domain"
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": account},
        "Action": "es:ESHttp*",
        "Resource": f"{region_arn}/*",
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def existing_domain(arn: str, endpoint: str) -> DomainReference:
    """Return a reference to an existing domain, whose access policy must allow the roles of this account."""
    return DomainReference(arn, endpoint.removeprefix("https://"), arn.rsplit("/", 1)[-1])
