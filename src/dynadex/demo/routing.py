"""Choice of the region for a request, as the Route 53 records of a deployment make it. Pure functions.

Route 53 selects the record of the client's location, or the default record. The record contains a region and, in case
its health check fails, the other regions.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

# Location by the first part of the name of a region.
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
    """Regions in order, and the home region of each location. The first region is the default."""

    regions: Sequence[str]
    homes: Mapping[str, str]

    @property
    def default(self) -> str:
        """The region for locations without a home region."""
        return self.regions[0]

    def locations(self, region: str) -> list[str]:
        """Return the locations whose home region this is."""
        return [location for location, home in self.homes.items() if home == region]

    def choose(self, location: str | None, healthy: Collection[str]) -> str:
        """Return the home region of a location if it is healthy, otherwise another healthy region.

        If no region is healthy, the home region is returned, as Route 53 does: the cause is then more likely in the
        checks than in the regions.
        """
        home = self.homes.get(location or "", self.default)
        return next((region for region in (home, *self.regions) if region in healthy), home)


def routes_for(regions: Sequence[str]) -> Routes:
    """Return routes from each continent to its first region."""
    homes: dict[str, str] = {}
    for region in regions:
        homes.setdefault(_location(region), region)
    return Routes(tuple(regions), homes)


def _location(region: str) -> str:
    if region in _OCEANIA:
        return "oceania"
    return _CONTINENTS.get(region.split("-")[0], region)
