"""Failover: the region to which Route 53 leads a client, derived from the records of the templates."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import combinations

import pytest

from tests.infra.conftest import Assemblies
from tests.infra.synthesis import CONTINENTS, REGIONS, Assembly, Resource

HOST = "search.example.org."
_EVERYWHERE = ("EU", "AF", "AS", "NA", "SA", "OC", "AN")


class Names:
    """The records of a deployment, resolved like Route 53 does while the checks of some regions fail."""

    def __init__(self, assembly: Assembly, healthy: Collection[str]) -> None:
        self._records = [
            record["Properties"]
            for name in assembly.names
            for record in assembly.of_type("AWS::Route53::RecordSet", name)
        ]
        self._healthy = {
            logical_id
            for logical_id, check in assembly.named_of_type("AWS::Route53::HealthCheck", "DynadexGlobal")
            if check["Properties"]["HealthCheckConfig"]["FullyQualifiedDomainName"].split(".")[0] in healthy
        }

    def answer(self, continent: str, name: str = HOST) -> str | None:
        """Return the region to which a client on the continent is led; None if every record is unhealthy."""
        records = [record for record in self._records if record["Name"] == name and "SetIdentifier" in record]
        if not records:
            # The record of a region, which is in its Edge stack.
            return name.split(".")[0]
        for record in self._in_order(records, continent):
            if self._is_healthy(record) and (region := self.answer(continent, str(record["AliasTarget"]["DNSName"]))):
                return region
        return None

    def _in_order(self, records: list[Resource], continent: str) -> Iterator[Resource]:
        """Yield the records that may be returned, preferred first; only the most specific geolocation record may."""
        if any("GeoLocation" in record for record in records):
            places = {next(iter(record["GeoLocation"].values())): record for record in records}
            yield places.get(continent, places["*"])
        elif any("Failover" in record for record in records):
            yield from sorted(records, key=lambda record: str(record["Failover"]))
        else:
            # Latency records: any of them may be the nearest.
            assert all(record["Region"] in record["AliasTarget"]["DNSName"] for record in records)
            yield from records

    def _is_healthy(self, record: Resource) -> bool:
        assert record["AliasTarget"]["EvaluateTargetHealth"]
        check = record.get("HealthCheckId")
        return check is None or check["Fn::GetAtt"][0] in self._healthy


@pytest.fixture(scope="module", params=[1, 2, 3], ids=lambda count: f"{count}-regions")
def assembly(request: pytest.FixtureRequest, assemblies: Assemblies) -> Assembly:
    return assemblies(request.param)


def regions_of(assembly: Assembly) -> list[str]:
    return [region for region in REGIONS if f"DynadexCore-{region}" in assembly.names]


def test_clients_are_routed_to_the_region_of_their_continent(assembly: Assembly) -> None:
    regions = regions_of(assembly)
    for continent in _EVERYWHERE:
        own = next((region for region in regions if continent in CONTINENTS.get(region, ())), regions[0])
        assert Names(assembly, regions).answer(continent) == own


def test_clients_are_routed_to_a_healthy_region_while_there_is_one(assembly: Assembly) -> None:
    regions = regions_of(assembly)
    for count in range(1, len(regions)):
        for healthy in combinations(regions, count):
            for continent in _EVERYWHERE:
                assert Names(assembly, healthy).answer(continent) in healthy


def test_no_record_is_healthy_while_no_region_is(assembly: Assembly) -> None:
    assert Names(assembly, ()).answer("EU") is None
