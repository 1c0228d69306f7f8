"""The live view: changes in real time, dead letters, and operations."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.demo_page import Demo, go_to, opened

FULL_LENGTH = bool(os.environ.get("BROWSER_SCALE"))


@pytest.fixture
def live(browser: Browser, demo: Demo) -> Iterator[Page]:
    with opened(browser, demo.signed_in, tolerated=("409",)) as page:
        go_to(page, "live")
        expect(page.get_by_test_id("ready")).to_have_text("Ready")
        yield page


def _run(page: Page, name: str) -> None:
    page.get_by_test_id(f"operation-{name.lower().replace(' ', '')}").click()
    expect(page.locator("#operation-name")).to_have_text(name)
    expect(page.locator("#operation-state")).not_to_have_text("Running")


def test_changes_appear_on_their_way_from_the_table_to_the_index(live: Page, demo: Demo) -> None:
    before = int(live.get_by_test_id("tile-applied").inner_text().replace(",", ""))
    for number in range(5):
        demo.write(f"flow-{number}", {"title": f"Flow {number}"})
    rows = live.get_by_test_id("change")
    expect(rows.filter(has_text="flow-4").first).to_contain_text("applied")
    expect(live.get_by_test_id("tile-applied")).to_have_text(f"{before + 5:,}")
    expect(live.get_by_test_id("rate-chart").locator("rect")).to_have_count(60)
    label = live.get_by_test_id("lag-chart").get_by_role("img").get_attribute("aria-label")
    assert label
    assert label.startswith("At most ")


def test_dead_lettered_key_is_listed_with_its_reason_until_it_is_fixed_and_redriven(live: Page, demo: Demo) -> None:
    dynamodb = demo.dynamodb()
    rejected = {"id": {"S": "rejected"}, "title": {"S": "Rejected"}, "difficulty": {"S": "very"}}
    dynamodb.put_item(TableName="lessons", Item=rejected)
    letters = live.get_by_test_id("letters")
    expect(letters).to_contain_text("rejected")
    expect(letters).to_contain_text("difficulty")
    expect(live.get_by_test_id("tile-dead-letters")).to_have_text("1")
    expect(live.get_by_test_id("change").filter(has_text="rejected")).to_contain_text("dead-lettered")
    _run(live, "Redrive")
    expect(live.get_by_test_id("operation-message")).to_have_text("0 settled, 1 still failing.")
    dynamodb.put_item(TableName="lessons", Item=rejected | {"difficulty": {"N": "5"}})
    _run(live, "Redrive")
    expect(live.get_by_test_id("operation-message")).to_have_text("1 settled, 0 still failing.")
    expect(live.get_by_test_id("tile-dead-letters")).to_have_text("0")


def test_rebuild_shows_its_progress_and_can_be_rolled_back(live: Page) -> None:
    indexes = live.get_by_test_id("indexes")
    old = indexes.locator("li .strong").inner_text()
    live.get_by_test_id("operation-rebuild").click()
    expect(live.get_by_test_id("operation-message")).to_contain_text("until every writer writes to index")
    expect(live.get_by_test_id("operation-progress")).to_be_visible()
    expect(indexes).to_contain_text("being built")
    expect(live.get_by_test_id("operation-verify")).to_be_disabled()
    if not FULL_LENGTH:
        return
    expect(live.get_by_test_id("operation-message")).to_contain_text("Searches use lessons-")
    expect(indexes.locator("li").filter(has_text=old)).to_contain_text("kept for rollback")
    _run(live, "Roll back")
    expect(live.get_by_test_id("operation-message")).to_contain_text(f"Searches use {old} now")
    _run(live, "Verify")
    expect(live.get_by_test_id("operation-message")).to_contain_text("the index equals its table")
    _run(live, "Refill")
    expect(live.get_by_test_id("operation-message")).to_contain_text("items read, 0 documents")


def test_operation_without_a_token_opens_the_sign_in_dialog(browser: Browser, demo: Demo) -> None:
    with opened(browser, f"{demo.address}/#live") as page:
        page.get_by_test_id("operation-verify").click()
        expect(page.get_by_test_id("sign-in-dialog")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.get_by_test_id("sign-in-dialog")).to_be_hidden()
