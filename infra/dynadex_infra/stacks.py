"""Stacks of a deployment. They refer to each other by name only, never by references across regions.

| stack | where | holds |
|---|---|---|
| Data | first region | the table with its replicas: the source of truth, kept even if the stack is deleted |
| Core | each region | search domain, stream function, backfill, search API, alarms, dashboard; all can be recreated |
| Edge | each region | the region's own name and certificate for the search API |
| Global | first region | the name for all regions: health checks and geolocation records |
"""

from __future__ import annotations

from dataclasses import dataclass

from aws_cdk import App, CfnOutput, Environment, Stack
from constructs import Construct

from dynadex_infra.alarm_set import AlarmSet
from dynadex_infra.dashboard import SyncDashboard
from dynadex_infra.edge import RegionalName, WorldwideName
from dynadex_infra.lessons_table import LessonsTable, StateTable
from dynadex_infra.refill import Refill, start_command
from dynadex_infra.search_domain import SearchDomain
from dynadex_infra.search_service import SearchService
from dynadex_infra.settings import Address, Deployment
from dynadex_infra.stream_indexer import StreamIndexer
from dynadex_infra.table_reference import TableReference


class DataStack(Stack):
    """The table and its replicas."""

    def __init__(self, scope: Construct, name: str, deployment: Deployment, env: Environment) -> None:
        super().__init__(scope, name, env=env, termination_protection=True)
        LessonsTable(
            self,
            "Lessons",
            table_name=deployment.code.table,
            replicas=deployment.regions[1:],
            strong=deployment.strong,
        )


class CoreStack(Stack):
    """Everything of one region but the table: the index, what keeps it in step with the table, and the search API."""

    def __init__(self, scope: Construct, name: str, deployment: Deployment, region: str, env: Environment) -> None:
        super().__init__(scope, name, env=env)
        code = deployment.code
        table = TableReference(self, "Table", code.table).table
        state = StateTable(self, "State", table_name=code.table).table
        search = SearchDomain(self, "Search", deployment.domain)
        domain = search.reference
        self.indexer = StreamIndexer(self, "Indexer", code=code, table=table, domain=domain, options=deployment.stream)
        self.refill = Refill(
            self, "Refill", code=code, table=table, domain=domain, dead_letters=self.indexer.dead_letters,
            stream_timeout_seconds=deployment.stream.timeout_seconds,
        )  # fmt: skip
        self.service = SearchService(
            self, "Service", code=code, table=table, domain=domain, state=state,
            options=deployment.service,
        )  # fmt: skip
        alarms = AlarmSet(self, deployment.alarms.topics.get(region))
        for part in (search, self.indexer, self.refill, self.service):
            part.add_alarms(alarms)
        SyncDashboard(
            self, "Dashboard", code=code, domain=domain, indexer=self.indexer, refill=self.refill, service=self.service
        )
        self._add_outputs()

    def _add_outputs(self) -> None:
        CfnOutput(self, "Url", value=self.service.url, description="URL of the search API")
        CfnOutput(
            self,
            "DeadLetters",
            value=self.indexer.dead_letters.queue_url,
            description="Value of DYNADEX_DEAD_LETTERS for dynadex redrive",
        )
        CfnOutput(self, "RefillMachine", value=self.refill.machine.state_machine_arn)
        CfnOutput(
            self, "StartRefill", value=start_command(self.refill.machine), description="Command that fills the index"
        )


class EdgeStack(Stack):
    """The name of one region."""

    def __init__(self, scope: Construct, name: str, address: Address, region: str, core: CoreStack) -> None:
        env = Environment(account=core.account, region=region)
        super().__init__(scope, name, env=env)
        RegionalName(self, "Name", address=address, region=region, service=core.service)


class GlobalStack(Stack):
    """The name for all regions."""

    def __init__(self, scope: Construct, name: str, deployment: Deployment, address: Address, env: Environment) -> None:
        super().__init__(scope, name, env=env)
        WorldwideName(self, "Name", address=address, regions=deployment.regions)


@dataclass(frozen=True, slots=True)
class Stacks:
    """The stacks of a deployment; ``data`` is None for an existing table, ``edges`` are empty without an address."""

    data: DataStack | None
    cores: tuple[CoreStack, ...]
    edges: tuple[EdgeStack, ...]
    worldwide: GlobalStack | None


def add_stacks(app: App, deployment: Deployment) -> Stacks:
    """Add every stack of a deployment to an app, with the dependencies between them."""
    prefix, environments = deployment.prefix, _environments(deployment)
    first = environments[deployment.regions[0]]
    data = None if deployment.existing_table else DataStack(app, f"{prefix}Data", deployment, first)
    cores = []
    for region, env in environments.items():
        core = CoreStack(app, f"{prefix}Core-{region}", deployment, region, env)
        if data:
            core.add_stack_dependency(data)
        cores.append(core)
    if deployment.address is None:
        return Stacks(data, tuple(cores), (), None)
    address = deployment.address
    edges = [
        EdgeStack(app, f"{prefix}Edge-{region}", address, region, core)
        for region, core in zip(deployment.regions, cores, strict=True)
    ]
    worldwide = GlobalStack(app, f"{prefix}Global", deployment, address, first)
    for edge in edges:
        worldwide.add_stack_dependency(edge)
    return Stacks(data, tuple(cores), tuple(edges), worldwide)


def _environments(deployment: Deployment) -> dict[str, Environment]:
    return {region: Environment(account=deployment.account, region=region) for region in deployment.regions}
