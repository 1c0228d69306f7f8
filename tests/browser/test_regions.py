"""The panel of regions: which region serves requests, the health of each, and failover when one is cut off."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.axe import violations
from tests.browser.demo_page import Demo, opened, search_for
from tests.browser.figures import Figures
from tests.browser.two_regions import AMERICA, EUROPE, two_regions


@pytest.fixture
def page(browser: Browser, demo: Demo) -> Iterator[Page]:
    # A request may reach a region that was just cut off, as this test intends.
    with two_regions(demo.address) as router, opened(browser, router, tolerated=("502",)) as page:
        expect(page.get_by_test_id("hit").first).to_be_visible()
        yield page


def test_another_region_serves_requests_while_one_is_cut_off(page: Page, figures: Figures) -> None:
    america, served_by = page.get_by_test_id(f"region-{AMERICA}"), page.get_by_test_id("served-by")
    expect(served_by).to_have_text(f"Served by {EUROPE}")
    expect(america).to_contain_text("Healthy")
    expect(america).to_contain_text("s behind")
    expect(america).to_contain_text("North America")

    page.get_by_test_id("location").select_option("north-america")
    expect(served_by).to_have_text(f"Served by {AMERICA}")
    expect(america).to_have_class("region serving")

    page.get_by_test_id(f"region-cut-{AMERICA}").click()
    expect(america).to_contain_text("Cut off")
    assert not violations(page, figures)
    search_for(page, "rakes of malow")
    expect(page.get_by_test_id("hit-title").first).to_have_text("The Rakes of Mallow")
    expect(served_by).to_have_text(f"Served by {EUROPE}")

    page.get_by_test_id(f"region-restore-{AMERICA}").click()
    expect(america).to_contain_text("Healthy")
    expect(served_by).to_have_text(f"Served by {AMERICA}")


def test_location_survives_a_reload(page: Page) -> None:
    page.get_by_test_id("location").select_option("north-america")
    page.reload()
    expect(page.get_by_test_id("location")).to_have_value("north-america")
    expect(page.get_by_test_id("served-by")).to_have_text(f"Served by {AMERICA}")
