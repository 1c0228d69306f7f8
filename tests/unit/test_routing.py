"""Which region answers whom."""

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
        # Everybody goes where somebody is left, whichever region that is.
        ("europe", {"us-east-1"}, "us-east-1"),
        ("north-america", {"eu-west-1"}, "eu-west-1"),
        (None, {"eu-west-1"}, "eu-west-1"),
        # As if all were well.
        ("europe", set(), "eu-west-1"),
        (None, set(), "us-east-1"),
    ],
)
def test_callers_go_home_or_to_whoever_is_healthy(location: str | None, healthy: set[str], region: str) -> None:
    assert TWO.choose(location, healthy) == region


def test_of_three_regions_the_first_healthy_one_stands_in() -> None:
    assert THREE.choose("oceania", {"ap-southeast-2", "eu-west-1"}) == "ap-southeast-2"
    assert THREE.choose("oceania", {"eu-west-1", "us-east-1"}) == "us-east-1"
    assert THREE.choose("oceania", {"eu-west-1"}) == "eu-west-1"


def test_a_location_belongs_to_the_first_region_there() -> None:
    routes = routes_for(["eu-central-1", "eu-west-1", "us-west-2"])
    assert routes.choose("europe", {"eu-west-1", "eu-central-1"}) == "eu-central-1"
    assert (routes.locations("eu-central-1"), routes.locations("eu-west-1")) == (["europe"], [])
    assert routes.default == "eu-central-1"
