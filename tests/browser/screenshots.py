"""Takes the screenshots of the documentation: `make screenshots`."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, expect

from tests.browser.demo_page import Demo, chromium, go_to, opened, running_demo, search_for
from tests.browser.two_regions import AMERICA, two_regions

IMAGES = Path(__file__).parents[2] / "docs/images"
DESK, TALL, PHONE = (1280, 800), (1280, 1120), (390, 844)
FLOW_SECONDS = 40


def main() -> None:
    """Take each view, in light and dark mode and on a phone."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, running_demo(Path(folder)) as demo, chromium() as browser:
        take(browser, demo.signed_in, "search.png", DESK, "light", lambda page: results(page, "maid"))
        take(browser, demo.signed_in, "search-dark.png", DESK, "dark", lambda page: results(page, "maid"))
        take(browser, demo.signed_in, "phone.png", PHONE, "light", lambda page: results(page, "rakes of malow"))
        take(browser, demo.signed_in, "suggestions.png", DESK, "light", suggestions)
        take(browser, demo.signed_in, "manage.png", DESK, "light", manage)
        take(browser, demo.signed_in, "conflict.png", DESK, "light", lambda page: conflict(page, demo))
        with two_regions(demo.address) as router:
            take(browser, router, "regions.png", DESK, "light", regions)
        with changes(demo):
            take(browser, demo.signed_in, "live.png", TALL, "light", live)
            take(browser, demo.signed_in, "live-dark.png", TALL, "dark", live)


def take(
    browser: Browser,
    address: str,
    name: str,
    size: tuple[int, int],
    scheme: Literal["light", "dark"],
    scene: Callable[[Page], None],
) -> None:
    """Take one screenshot."""
    scale = 2 if size == PHONE else 1
    with opened(browser, address, size, ("409", "412", "502"), color_scheme=scheme, device_scale_factor=scale) as page:
        expect(page.get_by_test_id("hit").first).to_be_visible()
        scene(page)
        # Without the duration of the search, which would change the picture with every run.
        page.evaluate("for (const element of document.querySelectorAll('.took')) element.remove()")
        page.screenshot(path=IMAGES / name)
    print(f"{IMAGES / name}")


def results(page: Page, text: str) -> None:
    """Results of a search, with highlights."""
    search_for(page, text)
    expect(page.get_by_test_id("hit-title").first.locator("mark").first).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("suggestions")).to_be_hidden()


def suggestions(page: Page) -> None:
    """Suggestions while typing."""
    page.get_by_test_id("search-input").press_sequentially("the rakes", delay=60)
    expect(page.get_by_test_id("suggestion").first).to_be_visible()
    page.keyboard.press("ArrowDown")


def manage(page: Page) -> None:
    """A lesson just saved, and found by searches."""
    go_to(page, "manage")
    page.get_by_test_id("manage-search").fill("mallow")
    row = page.get_by_test_id("item-row").filter(has_text="Rakes of Mallow")
    row.get_by_test_id("item-name").first.click()
    page.get_by_test_id("field-form").fill("Polka")
    page.get_by_test_id("save").click()
    expect(page.get_by_test_id("notice")).to_contain_text("found by searches")


def conflict(page: Page, demo: Demo) -> None:
    """A conflict between two users who edit the same lesson."""
    demo.write("contested", {"title": "The Contested Reel", "form": "Reel", "key": "D", "difficulty": 3})
    go_to(page, "manage")
    page.get_by_test_id("manage-search").fill("contested")
    page.get_by_test_id("item-row").filter(has_text="Contested").get_by_test_id("item-name").click()
    expect(page.get_by_test_id("field-key")).to_have_value("D")
    demo.write("contested", {"title": "The Contested Hornpipe", "form": "Hornpipe", "key": "D", "difficulty": 3})
    page.get_by_test_id("field-difficulty").fill("4")
    page.get_by_test_id("save").click()
    expect(page.get_by_test_id("conflict")).to_be_visible()


def regions(page: Page) -> None:
    """One region cut off, and the other serving its clients."""
    page.get_by_test_id("location").select_option("north-america")
    page.get_by_test_id(f"region-cut-{AMERICA}").click()
    expect(page.get_by_test_id(f"region-{AMERICA}")).to_contain_text("Restore")
    expect(page.get_by_test_id("served-by")).to_contain_text("eu-west-1")
    results(page, "maid")


def live(page: Page) -> None:
    """Changes in real time, a dead-lettered key, and a rebuild in progress."""
    go_to(page, "live")
    expect(page.get_by_test_id("letters")).to_contain_text("difficulty")
    if not page.get_by_test_id("operation-progress").is_visible():
        page.get_by_test_id("operation-rebuild").click()
    expect(page.get_by_test_id("operation-progress")).to_be_visible()
    expect(page.get_by_test_id("indexes")).to_contain_text("being built")
    expect(page.get_by_test_id("flow").locator(".dot").nth(2)).to_be_attached()
    page.mouse.move(0, 0)


@contextmanager
def changes(demo: Demo) -> Iterator[None]:
    """Write items in the background, one of which cannot be indexed."""
    stop, ran = threading.Event(), threading.Event()
    dynamodb = demo.dynamodb()
    rejected = {"title": {"S": "The Unplayable Jig"}, "difficulty": {"S": "very"}}
    dynamodb.put_item(TableName="lessons", Item={"id": {"S": "the-unplayable-jig"}, **rejected})

    def write() -> None:
        number = 0
        while not stop.wait(0.03 if number % 40 < 30 else 0.15):
            number += 1
            identity = f"practice-piece-{number % 30}"
            item = {"id": {"S": identity}, "title": {"S": f"Practice piece {number % 30}"}, "take": {"N": str(number)}}
            dynamodb.put_item(TableName="lessons", Item=item)
            if number == FLOW_SECONDS * 20:
                ran.set()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        ran.wait()
        yield
    finally:
        stop.set()
        thread.join()


if __name__ == "__main__":
    main()
