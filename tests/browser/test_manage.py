"""The manage view: optimistic saves, conflicts, undo, and sign-in."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from tests.browser.axe import violations
from tests.browser.demo_page import Demo, go_to, opened
from tests.browser.figures import Figures


@pytest.fixture
def manage(browser: Browser, demo: Demo) -> Iterator[Page]:
    # Browsers log every error response, including those that the page expects.
    with opened(browser, demo.signed_in, tolerated=("401", "412", "422", "503")) as page:
        go_to(page, "manage")
        expect(page.get_by_test_id("item-row").first).to_be_visible()
        yield page


def _find(page: Page, text: str) -> Locator:
    page.get_by_test_id("manage-search").fill(text)
    return page.get_by_test_id("item-row").filter(has_text=re.compile(text, re.IGNORECASE))


def _await_found(page: Page, figures: Figures) -> None:
    notice = page.get_by_test_id("notice")
    expect(notice).to_have_text(re.compile(r"Saved, and found by searches after \d+\.\d s"))
    figures.found_after.append(float(notice.inner_text().split()[-2]))
    # So that the next save is not confused with this one.
    page.evaluate("document.getElementById('notice-text').textContent = ''")


def _save(page: Page, **values: str) -> None:
    for name, value in values.items():
        page.get_by_test_id(f"field-{name}").fill(value)
    page.get_by_test_id("save").click()


def test_added_changed_and_deleted_lesson_is_shown_immediately(manage: Page, figures: Figures) -> None:
    held: list[Route] = []

    def hold_the_first(route: Route) -> None:
        if _writes(route) and not held:
            held.append(route)
        else:
            route.continue_()

    manage.route("**/api/documents/*", hold_the_first)
    manage.get_by_test_id("add").click()
    _save(manage, title="The Quixotic Fiddler", form="Reel", key="D", difficulty="3")
    row = manage.get_by_test_id("item-row").filter(has_text="Quixotic")
    expect(row).to_contain_text("The Quixotic Fiddler")
    expect(row.get_by_test_id("item-state")).to_have_text("Saving…")
    held[0].continue_()
    notice = manage.get_by_test_id("notice")
    _await_found(manage, figures)

    row = _find(manage, "quixotic")
    row.get_by_test_id("item-name").click()
    _save(manage, title="The Quixotic Piper")
    expect(row).to_contain_text("The Quixotic Piper")
    _await_found(manage, figures)

    row.get_by_test_id("item-delete").click()
    expect(row).to_have_count(0)
    expect(notice).to_contain_text(re.compile(r"removed from searches after \d+\.\d s"))
    manage.get_by_test_id("notice-action").click()
    expect(row).to_contain_text("The Quixotic Piper")
    _await_found(manage, figures)
    row.get_by_test_id("item-delete").click()
    expect(row).to_have_count(0)
    expect(notice).to_contain_text("removed from searches")


def _writes(route: Route) -> bool:
    return route.request.method == "PUT"


def test_failed_save_is_reverted_and_the_entered_values_are_kept(manage: Page, demo: Demo, figures: Figures) -> None:
    demo.write("fragile", {"title": "Fragile"})
    row = _find(manage, "fragile")
    row.get_by_test_id("item-name").click()
    error = {"code": "table_unavailable", "message": "The table is not available right now."}

    def fail(route: Route) -> None:
        if _writes(route):
            route.fulfill(status=503, json={"error": error})
        else:
            route.continue_()

    manage.route("**/api/documents/*", fail)
    _save(manage, title="Fragile, changed")
    expect(manage.get_by_test_id("notice")).to_contain_text("Not saved: The table is not available right now.")
    expect(row.get_by_test_id("item-name")).to_have_text("Fragile")
    manage.unroute("**/api/documents/*")
    manage.get_by_test_id("notice-action").click()
    expect(manage.get_by_test_id("field-title")).to_have_value("Fragile, changed")
    _save(manage)
    _await_found(manage, figures)
    expect(row.get_by_test_id("item-name")).to_have_text("Fragile, changed")


def test_conflicting_save_offers_both_versions(manage: Page, demo: Demo, figures: Figures) -> None:
    demo.write("contested", {"title": "Contested", "form": "Reel"})
    row = _find(manage, "contested")
    row.get_by_test_id("item-name").click()
    expect(manage.get_by_test_id("field-form")).to_have_value("Reel")
    demo.write("contested", {"title": "Contested", "form": "Jig"})
    _save(manage, form="Hornpipe")
    conflict = manage.get_by_test_id("conflict")
    expect(conflict).to_contain_text("Someone else changed this item")
    expect(manage.get_by_test_id("versions").locator("tbody tr")).to_have_text(["FormJigHornpipe"])
    manage.get_by_test_id("conflict-theirs").click()
    expect(row).to_contain_text("Jig")

    row.get_by_test_id("item-name").click()
    expect(manage.get_by_test_id("field-form")).to_have_value("Jig")
    demo.write("contested", {"title": "Contested", "form": "Waltz", "key": "A"})
    _save(manage, form="Hornpipe")
    # Fields that only the other user changed keep the current version; fields that both changed default to the user's.
    assert not violations(manage, figures)
    expect(manage.get_by_test_id("current-key")).to_be_checked()
    expect(manage.get_by_test_id("mine-form")).to_be_checked()
    manage.get_by_test_id("conflict-mine").click()
    _await_found(manage, figures)
    stored = demo.read("contested").json()
    assert (stored["form"], stored["key"]) == ("Hornpipe", "A")

    row.get_by_test_id("item-name").click()
    expect(manage.get_by_test_id("field-form")).to_have_value("Hornpipe")
    demo.delete("contested")
    _save(manage, form="March")
    expect(conflict).to_contain_text("Someone else deleted this item")
    manage.get_by_test_id("conflict-mine").click()
    _await_found(manage, figures)
    assert demo.read("contested").json()["form"] == "March"


def test_editing_keeps_hidden_attributes_and_all_digits(manage: Page, demo: Demo, figures: Figures) -> None:
    demo.write("exact", {"title": "Exactitude"})
    demo.dynamodb().update_item(
        TableName="lessons", Key={"id": {"S": "exact"}}, UpdateExpression="SET pi = :pi, tags = :tags",
        ExpressionAttributeValues={
            ":pi": {"N": "3.14159265358979323846264338327950288"}, ":tags": {"SS": ["a", "b"]},
        },
    )  # fmt: skip
    row = _find(manage, "exactitude")
    row.get_by_test_id("item-name").click()
    expect(manage.get_by_test_id("field-pi")).to_have_value("3.14159265358979323846264338327950288")
    _save(manage, title="Exactitudes")
    expect(row).to_contain_text("Exactitudes")
    _await_found(manage, figures)
    stored = demo.dynamodb().get_item(TableName="lessons", Key={"id": {"S": "exact"}})["Item"]
    assert stored["title"] == {"S": "Exactitudes"}
    assert stored["pi"] == {"N": "3.14159265358979323846264338327950288"}
    assert stored["tags"] == {"SS": ["a", "b"]}


def test_form_shows_problems_at_their_fields(manage: Page) -> None:
    manage.get_by_test_id("add").click()
    difficulty, title = manage.get_by_test_id("field-difficulty"), manage.get_by_test_id("field-title")
    difficulty.fill("very")
    manage.get_by_test_id("save").click()
    expect(difficulty).to_have_accessible_description("Difficulty must be a number.")
    expect(title).to_have_accessible_description("Title is missing.")
    expect(title).to_be_focused()
    # A number outside the range of its field: only the service detects it.
    title.fill("Too difficult")
    difficulty.fill("12345678901")
    manage.get_by_test_id("save").click()
    expect(difficulty).to_have_attribute("aria-invalid", "true")
    expect(difficulty).to_be_focused()
    expect(title).to_have_value("Too difficult")
    manage.keyboard.press("Escape")
    expect(manage.get_by_test_id("dialog")).to_be_hidden()


def test_changes_require_a_token_which_is_removed_from_the_url(browser: Browser, demo: Demo, figures: Figures) -> None:
    demo.write("guarded", {"title": "Guarded"})
    with opened(browser, demo.signed_in) as page:
        page.wait_for_url(f"{demo.address}/")
        expect(page.get_by_test_id("sign-in")).to_have_text("Sign out")
    with opened(browser, demo.address, tolerated=("401",)) as page:
        go_to(page, "manage")
        row = _find(page, "guarded")
        row.get_by_test_id("item-name").click()
        _save(page, title="Guarded well")
        expect(page.get_by_test_id("sign-in-dialog")).to_be_visible()
        page.get_by_test_id("token").fill("wrong")
        page.get_by_test_id("sign-in-submit").click()
        expect(page.get_by_test_id("sign-in-error")).to_contain_text("invalid or has expired")
        page.get_by_test_id("token").fill(demo.token)
        page.get_by_test_id("sign-in-submit").click()
        _await_found(page, figures)
        expect(row).to_contain_text("Guarded well")
        page.get_by_test_id("sign-in").click()
        row.get_by_test_id("item-delete").click()
        expect(page.get_by_test_id("sign-in-dialog")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.get_by_test_id("notice")).to_contain_text("you are not signed in")
        expect(row).to_contain_text("Guarded well")
