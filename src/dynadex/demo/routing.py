"""Which region answers whom: what the Route 53 records of a deployment decide, as pure functions.

Route 53 finds the record of the caller's location, or the default; behind it stands that region and, for when its
health check fails, the others.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

# What the first part of a region's name says of where it is.
_CONTINENTS: Mapping[str, str] = {
    "af": "africa",
    "ap": "asia",
    "ca": "north-america",
    "eu": "europe",
    "il": "asia",
    "me": "asia",
    "mx": "north-america",
    "sa": "south-america",
    "us": "north-america",
}
_OCEANIA = ("ap-southeast-2", "ap-southeast-4", "ap-southeast-6")
LOCATIONS = ("africa", "asia", "europe", "north-america", "oceania", "south-america")


@dataclass(frozen=True, slots=True)
class Routes:
    """Regions in order, each location's own region, and the one for everybody else."""

    regions: Sequence[str]
    homes: Mapping[str, str]

    @property
    def default(self) -> str:
        """The region of those whose location has none."""
        return self.regions[0]

    def locations(self, region: str) -> list[str]:
        """The locations whose own region it is."""
        return [location for location, home in self.homes.items() if home == region]

    def choose(self, location: str | None, healthy: Collection[str]) -> str:
        """The region that answers somebody there: their own, else another that is healthy, else their own all the same.

        That nobody is healthy more likely says something of the checks than of the regions: Route 53 then answers as
        if all were well, too.
        """
        home = self.homes.get(location or "", self.default)
        return next((region for region in (home, *self.regions) if region in healthy), home)


def routes_for(regions: Sequence[str]) -> Routes:
    """Each continent to the first region there."""
    homes: dict[str, str] = {}
    for region in regions:
        homes.setdefault(_location(region), region)
    return Routes(tuple(regions), homes)


def _location(region: str) -> str:
    if region in _OCEANIA:
        return "oceania"
    return _CONTINENTS.get(region.split("-")[0], region)
