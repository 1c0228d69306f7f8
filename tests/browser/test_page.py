"""The page as people use it: the whole demo, and a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import quote

import httpx
import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.demo_page import chromium, running_demo

SOON = 2_000
"""Milliseconds within which a change of the table is to be seen by a searcher."""
QUIETLY = 5_000
"""Milliseconds within which the page notices by itself what others changed."""
HARMFUL = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_demo(tmp_path_factory.mktemp("demo"), songs=400) as url:
        yield url


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """The page, on a desk. Whatever it complains about, or asks elsewhere for, fails the test."""
    yield from _page(browser, address, 1280, 800)


@pytest.fixture
def phone(browser: Browser, address: str) -> Iterator[Page]:
    yield from _page(browser, address, 375, 667)


def _page(browser: Browser, address: str, width: int, height: int) -> Iterator[Page]:
    complaints: list[str] = []
    context = browser.new_context(viewport={"width": width, "height": height}, has_touch=width < 500)
    page = context.new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("dialog", lambda dialog: complaints.append(f"a script ran: {dialog.message}"))
    page.on("request", lambda request: None if request.url.startswith(address) else complaints.append(request.url))
    page.goto(address)
    expect(page.get_by_test_id("hit").first).to_be_visible()
    try:
        yield page
    finally:
        context.close()
    assert complaints == []


def _search(page: Page, text: str) -> None:
    page.get_by_test_id("search-input").fill(text)


def _total(page: Page) -> int:
    text = page.get_by_test_id("result-count").inner_text()
    return int(re.sub(r"\D", "", text.split(" result")[0]))


def _save(page: Page, **values: str) -> None:
    for name, value in values.items():
        page.get_by_test_id(f"field-{name}").fill(value)
    page.get_by_test_id("save").click()
    expect(page.get_by_test_id("dialog")).to_be_hidden()


def _delete(page: Page) -> None:
    page.get_by_test_id("delete").click()
    expect(page.get_by_test_id("delete")).to_have_text("Really delete?")
    page.get_by_test_id("delete").click()
    expect(page.get_by_test_id("dialog")).to_be_hidden()


def test_a_misspelt_title_is_found_and_its_words_are_marked(page: Page) -> None:
    page.get_by_test_id("search-input").press_sequentially("rakes of malow", delay=30)
    first = page.get_by_test_id("hit-title").first
    expect(first).to_have_text("The Rakes of Mallow")
    expect(first.locator("mark")).to_have_text(["Rakes", "of", "Mallow"])
    expect(page.get_by_test_id("result-count")).to_contain_text(re.compile(r"\d+ results? · \d+ ms"))


def test_facets_narrow_together_and_can_be_cleared(page: Page) -> None:
    everything = _total(page)
    forms = page.get_by_test_id("facet-form")
    forms.locator("[data-value='Jig']").check()
    expect(page.get_by_test_id("hit").first).to_contain_text("Jig")
    expect(page.get_by_test_id("result-count")).not_to_contain_text(f"{everything} results")
    jigs = _total(page)
    expect(forms.locator("[data-value='Reel']")).to_be_visible()
    forms.locator("[data-value='Reel']").check()
    expect(page.get_by_test_id("result-count")).not_to_contain_text(f"{jigs} results")
    assert jigs < _total(page) < everything
    page.reload()
    expect(forms.locator("[data-value='Jig']")).to_be_checked()
    page.get_by_test_id("clear-filters").click()
    expect(page.get_by_test_id("result-count")).to_contain_text(f"{everything} results")


def test_a_lesson_is_added_changed_and_deleted_and_searchers_see_it_at_once(page: Page) -> None:
    title = page.get_by_test_id("hit-title").filter(has_text="Quixotic")
    page.get_by_test_id("add").click()
    _save(page, title="The Quixotic Fiddler", form="Reel", key="D", difficulty="3")
    _search(page, "quixotic fidler")
    expect(title).to_have_text("The Quixotic Fiddler", timeout=SOON)
    expect(page.get_by_test_id("hit").first).to_contain_text("Reel · Key D · Difficulty 3".replace(" · ", ""))

    title.click()
    _save(page, title="The Quixotic Piper")
    _search(page, "quixotic")
    expect(title).to_have_text("The Quixotic Piper", timeout=SOON)

    title.click()
    _delete(page)
    expect(title).to_have_count(0, timeout=SOON)
    expect(page.get_by_test_id("no-results")).to_contain_text("Nothing found for “quixotic”")


def test_the_page_tells_when_a_change_can_be_found(page: Page) -> None:
    page.get_by_test_id("add").click()
    _save(page, title="Zephyrine")
    expect(page.get_by_test_id("notice")).to_have_text(re.compile(r"found by searches after \d+\.\d s"), timeout=SOON)
    _search(page, "zephyrine")
    page.get_by_test_id("hit").first.click()
    _delete(page)
    expect(page.get_by_test_id("notice")).to_have_text(re.compile(r"gone from searches after \d+\.\d s"), timeout=SOON)


def test_a_harmful_title_is_shown_as_text(page: Page) -> None:
    page.get_by_test_id("add").click()
    _save(page, title=HARMFUL, composer=HARMFUL, form=HARMFUL)
    _search(page, "onerror alert")
    title = page.get_by_test_id("hit-title").first
    expect(title).to_have_text(HARMFUL, timeout=SOON)
    expect(page.get_by_test_id("facet-form")).to_contain_text(HARMFUL)
    assert page.locator("img").count() == 0
    title.click()
    expect(page.get_by_test_id("dialog")).to_contain_text(f"Edit {HARMFUL}")
    _delete(page)
    expect(title).to_have_count(0, timeout=SOON)


def test_what_others_change_shows_by_itself(page: Page, address: str) -> None:
    _search(page, "perpetuum")
    expect(page.get_by_test_id("no-results")).to_be_visible()
    url = f"{address}/api/documents/{quote('others/1', safe='')}"
    httpx.put(url, json={"title": "Perpetuum"}, trust_env=False).raise_for_status()
    expect(page.get_by_test_id("hit-title")).to_have_text("Perpetuum", timeout=QUIETLY)
    httpx.delete(url, trust_env=False).raise_for_status()
    expect(page.get_by_test_id("no-results")).to_be_visible(timeout=QUIETLY)


def test_editing_keeps_what_the_form_does_not_show_and_every_digit(page: Page, address: str) -> None:
    url = f"{address}/api/documents/exact"
    sent = '{"id":"exact","title":"Exactitude","pi":3.14159265358979323846264338327950288,"tags":["a",{"b":1.50}]}'
    httpx.put(url, content=sent, trust_env=False).raise_for_status()
    _search(page, "exactitude")
    title = page.get_by_test_id("hit-title").first
    expect(title).to_have_text("Exactitude", timeout=QUIETLY)
    title.click()
    expect(page.get_by_test_id("field-pi")).to_have_value("3.14159265358979323846264338327950288")
    _save(page, title="Exactitudes")
    stored = httpx.get(url, trust_env=False).text
    assert '"title":"Exactitudes"' in stored
    assert '"pi":3.14159265358979323846264338327950288' in stored
    assert '"tags":["a",{"b":1.5' in stored
    httpx.delete(url, trust_env=False).raise_for_status()


def test_the_form_refuses_what_makes_no_sense(page: Page) -> None:
    page.get_by_test_id("add").click()
    page.get_by_test_id("field-difficulty").fill("very")
    page.get_by_test_id("save").click()
    expect(page.get_by_test_id("dialog-error")).to_have_text("Difficulty is not a number.")
    page.get_by_test_id("field-difficulty").fill("")
    page.get_by_test_id("save").click()
    expect(page.get_by_test_id("dialog-error")).to_have_text("Title is missing.")
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("dialog")).to_be_hidden()


def test_everything_can_be_done_from_the_keyboard(page: Page) -> None:
    search = page.get_by_test_id("search-input")
    page.get_by_test_id("add").focus()
    page.keyboard.press("/")
    expect(search).to_be_focused()
    page.keyboard.type("rakes of malow")
    expect(page.get_by_test_id("hit-title").first).to_have_text("The Rakes of Mallow")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_test_id("hit").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("field-title")).to_have_value("The Rakes of Mallow")
    expect(page.get_by_test_id("field-title")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("hit").first).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(search).to_be_focused()
    page.keyboard.press("Escape")
    expect(search).to_have_value("")
    expect(page.get_by_test_id("hit")).to_have_count(20)


def test_an_answer_that_comes_too_late_is_not_shown(page: Page) -> None:
    held: list[Route] = []
    page.route("**/api/search?q=jig*", lambda route: held.append(route))
    _search(page, "jig")
    page.wait_for_timeout(300)
    assert held
    _search(page, "rakes of malow")
    expect(page.get_by_test_id("hit-title").first).to_have_text("The Rakes of Mallow")
    held[0].fulfill(json={"total": 0, "hits": [], "facets": {}})
    page.wait_for_timeout(300)
    expect(page.get_by_test_id("hit-title").first).to_have_text("The Rakes of Mallow")


def test_without_an_index_the_page_says_so_and_comes_back_by_itself(browser: Browser, address: str) -> None:
    page = browser.new_page()
    page.goto(address)
    expect(page.get_by_test_id("hit")).to_have_count(20)
    error = {"code": "index_unavailable", "message": "The search index is not available right now."}
    page.route("**/api/search*", lambda route: route.fulfill(status=503, json={"error": error}))
    expect(page.get_by_test_id("error")).to_have_text(f"{error['message']} Trying again…", timeout=QUIETLY)
    page.unroute("**/api/search*")
    expect(page.get_by_test_id("error")).to_be_hidden(timeout=QUIETLY)
    page.close()


def test_it_fits_a_phone(phone: Page) -> None:
    expect(phone.get_by_test_id("facet-form")).to_be_hidden()
    phone.locator("summary").tap()
    phone.get_by_test_id("facet-form").locator("[data-value='Jig']").check()
    phone.locator("summary").tap()
    phone.get_by_test_id("hit").first.tap()
    dialog = phone.get_by_test_id("dialog")
    expect(dialog).to_be_visible()
    box = dialog.bounding_box()
    assert box
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 375
    assert box["height"] <= 667
    expect(phone.get_by_test_id("save")).to_be_in_viewport()
    assert phone.evaluate("document.documentElement.scrollWidth") <= 375


def test_what_is_asked_for_is_in_the_address(page: Page, address: str) -> None:
    _search(page, "rakes of malow")
    page.wait_for_url(f"{address}/?q=rakes+of+malow")
    page.reload()
    expect(page.get_by_test_id("search-input")).to_have_value("rakes of malow")
    expect(page.get_by_test_id("hit-title").first).to_have_text("The Rakes of Mallow")
