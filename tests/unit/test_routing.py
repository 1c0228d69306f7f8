"""Choice of the region for a location."""

from __future__ import annotations

import pytest

from dynadex.demo.routing import routes_for

TWO = routes_for(["us-east-1", "eu-west-1"])
THREE = routes_for(["us-east-1", "eu-west-1", "ap-southeast-2"])
BOTH = {"us-east-1", "eu-west-1"}


@pytest.mark.parametrize(
    ("location", "healthy", "region"),
    [
        ("europe", BOTH, "eu-west-1"),
        ("north-america", BOTH, "us-east-1"),
        ("africa", BOTH, "us-east-1"),
        (None, BOTH, "us-east-1"),
        ("atlantis", BOTH, "us-east-1"),
        # The home region is unhealthy.
        ("europe", {"us-east-1"}, "us-east-1"),
        ("north-america", {"eu-west-1"}, "eu-west-1"),
        (None, {"eu-west-1"}, "eu-west-1"),
        # No region is healthy.
        ("europe", set(), "eu-west-1"),
        (None, set(), "us-east-1"),
    ],
)
def test_request_goes_to_the_home_region_or_to_a_healthy_one(
    location: str | None, healthy: set[str], region: str
) -> None:
    assert TWO.choose(location, healthy) == region


def test_first_healthy_region_replaces_the_home_region() -> None:
    assert THREE.choose("oceania", {"ap-southeast-2", "eu-west-1"}) == "ap-southeast-2"
    assert THREE.choose("oceania", {"eu-west-1", "us-east-1"}) == "us-east-1"
    assert THREE.choose("oceania", {"eu-west-1"}) == "eu-west-1"


def test_home_region_is_the_first_region_of_a_location() -> None:
    routes = routes_for(["eu-central-1", "eu-west-1", "us-west-2"])
    assert routes.choose("europe", {"eu-west-1", "eu-central-1"}) == "eu-central-1"
    assert (routes.locations("eu-central-1"), routes.locations("eu-west-1")) == (["europe"], [])
    assert routes.default == "eu-central-1"
