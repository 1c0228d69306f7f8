"""Accessibility checks of a page with axe."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.browser.figures import Figures

_OPTIONS = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
}


def violations(page: Page, figures: Figures) -> str:
    """Return a report of violations of WCAG 2.2 AA, empty if there are none, and count them in the figures."""
    results = Axe().run(page, options=_OPTIONS)
    figures.scenes += 1
    figures.violations += results.violations_count
    return results.generate_report() if results.violations_count else ""
