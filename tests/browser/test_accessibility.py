"""WCAG 2.2 AA, as far as axe can check it, of every view and dialog, in light and dark mode.

The conflict dialog and the panel of regions are checked in their own tests.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.axe import violations
from tests.browser.demo_page import Demo, go_to, opened, search_for
from tests.browser.figures import Figures

DESK, PHONE = (1280, 800), (390, 844)


def _suggestions(page: Page) -> None:
    search_for(page, "rakes")
    page.get_by_test_id("search-input").press_sequentially(" ")
    expect(page.get_by_test_id("suggestion").first).to_be_visible()
    page.keyboard.press("ArrowDown")


def _filtered(page: Page) -> None:
    page.evaluate("document.getElementById('filters').open = true")
    page.get_by_test_id("facet-form").locator("[data-value='Jig']").check()
    expect(page.get_by_test_id("clear-filters")).to_be_visible()


def _nothing(page: Page) -> None:
    search_for(page, "xqzzk wvvkq")
    expect(page.get_by_test_id("no-results")).to_be_visible()


def _item(page: Page) -> None:
    page.get_by_test_id("hit").first.click()
    expect(page.get_by_test_id("item-dialog")).to_be_visible()


def _manage(page: Page) -> None:
    go_to(page, "manage")
    expect(page.get_by_test_id("item-row").first).to_be_visible()


def _form(page: Page) -> None:
    _manage(page)
    page.get_by_test_id("add").click()
    page.get_by_test_id("save").click()
    expect(page.get_by_test_id("field-title")).to_have_attribute("aria-invalid", "true")


def _sign_in(page: Page) -> None:
    page.get_by_test_id("sign-in").click()
    page.get_by_test_id("sign-in").click()
    expect(page.get_by_test_id("sign-in-dialog")).to_be_visible()


def _live(page: Page) -> None:
    go_to(page, "live")
    expect(page.get_by_test_id("ready")).to_have_text("Ready")


SCENES = (_suggestions, _filtered, _nothing, _item, _manage, _form, _sign_in, _live)
# In dark mode only the colors differ, and on a phone only the layout.
_ALL = bool(os.environ.get("BROWSER_SCALE"))
IN_THE_LIGHT = SCENES if _ALL else (_suggestions, _nothing, _manage, _form, _live)
IN_THE_DARK = SCENES if _ALL else (_filtered, _form)


@pytest.mark.parametrize(
    ("scheme", "size", "scenes"), [("light", DESK, IN_THE_LIGHT), ("dark", PHONE, IN_THE_DARK)], ids=["light", "dark"]
)
def test_page_has_no_accessibility_violations(
    browser: Browser,
    demo: Demo,
    scheme: Literal["light", "dark"],
    size: tuple[int, int],
    scenes: tuple[Callable[[Page], None], ...],
    figures: Figures,
) -> None:
    reports: list[str] = []
    with opened(browser, demo.signed_in, size, color_scheme=scheme, reduced_motion="reduce") as page:
        for scene in scenes:
            page.goto("about:blank")
            page.goto(demo.signed_in)
            expect(page.get_by_test_id("hit").first).to_be_visible()
            scene(page)
            if report := violations(page, figures):
                reports.append(f"{scene.__name__}: {report}")
    assert not reports, "\n".join(reports)
