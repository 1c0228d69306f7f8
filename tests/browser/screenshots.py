"""Takes the screenshots that the documentation shows: `make screenshots`."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, expect

from tests.browser.demo_page import chromium, running_demo

IMAGES = Path(__file__).parents[2] / "docs/images"
DESK, PHONE = (1280, 800), (390, 844)


def main() -> None:
    """The page with a search typed: by day, by night, on a phone."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, running_demo(Path(folder)) as address, chromium() as browser:
        take(browser, address, "search.png", DESK, "light", "maid")
        take(browser, address, "search-dark.png", DESK, "dark", "maid")
        take(browser, address, "phone.png", PHONE, "light", "rakes of malow")


def take(
    browser: Browser, address: str, name: str, size: tuple[int, int], scheme: Literal["light", "dark"], text: str
) -> None:
    """One screenshot. It shows no time that a search took: the picture would change with every run."""
    width, height = size
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, device_scale_factor=2 if width < 500 else 1
    )
    page = context.new_page()
    page.goto(address)
    page.get_by_test_id("search-input").fill(text)
    expect(page.get_by_test_id("hit-title").first.locator("mark").first).to_be_visible()
    page.evaluate(
        "const count = document.getElementById('count'); count.textContent = count.textContent.split(' · ')[0]"
    )
    page.screenshot(path=IMAGES / name)
    context.close()
    print(f"{IMAGES / name}")


if __name__ == "__main__":
    main()
