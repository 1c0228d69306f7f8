"""Where Route 53 would send people, worked out from the records of the templates."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import combinations

import pytest

from tests.infra.conftest import Assemblies
from tests.infra.synthesis import CONTINENTS, REGIONS, Assembly, Resource

HOST = "search.example.org."
_EVERYWHERE = ("EU", "AF", "AS", "NA", "SA", "OC", "AN")


class Names:
    """The records of a deployment, looked up as Route 53 does while the checks of some regions fail."""

    def __init__(self, assembly: Assembly, healthy: Collection[str]) -> None:
        self._records = [
            one["Properties"] for name in assembly.names for one in assembly.of_type("AWS::Route53::RecordSet", name)
        ]
        self._healthy = {
            logical_id
            for logical_id, one in assembly.named_of_type("AWS::Route53::HealthCheck", "DynadexGlobal")
            if one["Properties"]["HealthCheckConfig"]["FullyQualifiedDomainName"].split(".")[0] in healthy
        }

    def answer(self, continent: str, name: str = HOST) -> str | None:
        """The region whose own name somebody there is led to; None when every record on the way is left out."""
        records = [one for one in self._records if one["Name"] == name and "SetIdentifier" in one]
        if not records:
            # The region's own record, which lives in its Edge stack.
            return name.split(".")[0]
        for record in self._in_order(records, continent):
            if self._is_healthy(record) and (found := self.answer(continent, str(record["AliasTarget"]["DNSName"]))):
                return found
        return None

    def _in_order(self, records: list[Resource], continent: str) -> Iterator[Resource]:
        """The records that may answer, the best first. Of geolocation's, only the most specific one may."""
        if any("GeoLocation" in one for one in records):
            places = {next(iter(one["GeoLocation"].values())): one for one in records}
            yield places.get(continent, places["*"])
        elif any("Failover" in one for one in records):
            yield from sorted(records, key=lambda one: str(one["Failover"]))
        else:
            # Latency: whichever is nearest.
            assert all(one["Region"] in one["AliasTarget"]["DNSName"] for one in records)
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


def test_everybody_goes_to_the_region_of_their_continent(assembly: Assembly) -> None:
    regions = regions_of(assembly)
    for continent in _EVERYWHERE:
        own = next((one for one in regions if continent in CONTINENTS.get(one, ())), regions[0])
        assert Names(assembly, regions).answer(continent) == own


def test_everybody_finds_a_region_as_long_as_one_is_ready(assembly: Assembly) -> None:
    regions = regions_of(assembly)
    for count in range(1, len(regions)):
        for healthy in combinations(regions, count):
            for continent in _EVERYWHERE:
                assert Names(assembly, healthy).answer(continent) in healthy


def test_while_none_is_ready_no_record_answers_and_route_53_takes_all_for_well(assembly: Assembly) -> None:
    assert Names(assembly, ()).answer("EU") is None
