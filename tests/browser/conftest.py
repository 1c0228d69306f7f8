"""One demo and one browser for all tests of the page, because both take seconds to start.

They are stopped after these tests: a browser keeps an event loop running, so other tests could not start one.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.demo_page import Demo, chromium, opened, running_demo
from tests.browser.figures import Figures

_FIGURES = pytest.StashKey[Figures]()


@pytest.fixture(scope="session")
def figures(pytestconfig: pytest.Config) -> Figures:
    """Figures of the whole run, which tests add to."""
    return pytestconfig.stash.setdefault(_FIGURES, Figures())


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Print the figures after pytest's own summary."""
    figures = config.stash.get(_FIGURES, None)
    if figures and figures.scenes:
        config.get_terminal_writer().line(str(figures))


@pytest.fixture(scope="package")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with running_demo(tmp_path_factory.mktemp("demo"), songs=400) as running:
        yield running


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def page(browser: Browser, demo: Demo) -> Iterator[Page]:
    """The page on a desktop screen, signed in."""
    with opened(browser, demo.signed_in) as page:
        expect(page.get_by_test_id("hit").first).to_be_visible()
        yield page


@pytest.fixture
def phone(browser: Browser, demo: Demo) -> Iterator[Page]:
    with opened(browser, demo.signed_in, (375, 667)) as page:
        expect(page.get_by_test_id("hit").first).to_be_visible()
        yield page
