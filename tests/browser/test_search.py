"""The search view of the whole demo in a real browser."""

from __future__ import annotations

import re

from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.demo_page import Demo, opened, search_for

HARMFUL = "<img src=x onerror=alert(1)>"


def _total(page: Page) -> int:
    text = page.get_by_test_id("result-count").inner_text()
    return int(re.sub(r"\D", "", text.split(" result")[0]))


def test_misspelt_title_is_found_and_highlighted(page: Page) -> None:
    page.get_by_test_id("search-input").press_sequentially("rakes of malow", delay=30)
    first = page.get_by_test_id("hit-title").first
    expect(first).to_have_text("The Rakes of Mallow")
    expect(first.locator("mark").first).to_have_text("Rakes")
    expect(page.get_by_test_id("result-count")).to_contain_text(re.compile(r"\d+ results? · \d+ ms"))


def test_suggestions_appear_while_typing_and_can_be_chosen_with_the_keyboard(page: Page) -> None:
    search, listed = page.get_by_test_id("search-input"), page.get_by_test_id("suggestion")
    search.press_sequentially("rakes", delay=30)
    expect(listed.filter(has_text="The Rakes of Mallow")).to_be_visible()
    expect(search).to_have_attribute("aria-expanded", "true")
    expect(listed.first.locator("mark").first).to_be_attached()
    page.keyboard.press("ArrowDown")
    expect(listed.first).to_have_attribute("aria-selected", "true")
    expect(search).to_have_attribute("aria-activedescendant", "suggestion-0")
    chosen = listed.first.inner_text()
    page.keyboard.press("Enter")
    expect(search).to_have_value(chosen)
    expect(search).to_be_focused()
    expect(page.get_by_test_id("suggestions")).to_be_hidden()
    expect(page.get_by_test_id("hit-title").first).to_have_text(chosen)
    page.keyboard.press("End")
    page.keyboard.press("Backspace")
    expect(listed.first).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("suggestions")).to_be_hidden()
    expect(search).not_to_have_value("")


def test_facets_combine_and_can_be_cleared(page: Page) -> None:
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
    page.get_by_role("button", name="Remove the filter Form Reel").click()
    expect(page.get_by_test_id("result-count")).to_contain_text(f"{jigs} results")
    page.get_by_test_id("clear-filters").click()
    expect(page.get_by_test_id("result-count")).to_contain_text(f"{everything} results")


def test_show_more_adds_hits_without_duplicates(page: Page) -> None:
    hits = page.get_by_test_id("hit")
    expect(hits).to_have_count(20)
    page.get_by_test_id("more").click()
    expect(hits).to_have_count(40)
    expect(hits.nth(20)).to_be_focused()
    ids = hits.evaluate_all("hits => hits.map(hit => hit.dataset.id)")
    assert len(set(ids)) == 40


def test_sort_is_stored_in_the_url(page: Page) -> None:
    sort = page.get_by_test_id("sort")
    other = sort.locator("option").nth(1).get_attribute("value")
    assert other
    sort.select_option(other)
    page.wait_for_url(f"**/?sort={other}*")
    page.reload()
    expect(page.get_by_test_id("hit").first).to_be_visible()
    expect(sort).to_have_value(other)


def test_search_without_hits_offers_a_correction(page: Page) -> None:
    search_for(page, "wxyzvqx mallow")
    expect(page.get_by_test_id("no-results")).to_contain_text("Nothing found for “wxyzvqx mallow”")
    offered = page.get_by_test_id("did-you-mean")
    expect(offered).to_contain_text("Mallow")
    meant = offered.inner_text()
    page.get_by_test_id("did-you-mean").click()
    expect(page.get_by_test_id("search-input")).to_have_value(meant)
    expect(page.get_by_test_id("hit-title").first).to_contain_text("Mallow")
    search_for(page, "xqzzk wvvkq")
    expect(page.get_by_test_id("no-results")).to_contain_text("Nothing found for “xqzzk wvvkq”")


def test_hit_opens_with_all_its_fields(page: Page) -> None:
    search_for(page, "rakes of mallow")
    expect(page.get_by_test_id("hit-title").first).to_have_text("The Rakes of Mallow")
    page.get_by_test_id("hit").first.click()
    dialog = page.get_by_test_id("item-dialog")
    expect(dialog.get_by_role("heading")).to_have_text("The Rakes of Mallow")
    expect(dialog).to_contain_text("Note count")
    expect(dialog).to_contain_text("O'Neill's Music of Ireland")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page.get_by_test_id("hit").first).to_be_focused()


def test_harmful_title_is_shown_as_text(page: Page, demo: Demo) -> None:
    demo.write("harmful", {"title": HARMFUL, "composer": HARMFUL, "form": HARMFUL})
    search_for(page, "onerror alert")
    title = page.get_by_test_id("hit-title").first
    expect(title).to_have_text(HARMFUL)
    expect(page.get_by_test_id("facet-form")).to_contain_text(HARMFUL)
    title.click()
    expect(page.get_by_test_id("item-dialog").get_by_role("heading")).to_have_text(HARMFUL)
    page.get_by_test_id("item-edit").click()
    expect(page.get_by_test_id("dialog")).to_contain_text(f"Edit {HARMFUL}")
    assert page.locator("main img, dialog img").count() == 0
    page.get_by_test_id("delete").click()
    expect(title).to_have_count(0)


def test_changes_by_others_appear_without_a_reload(page: Page, demo: Demo) -> None:
    search_for(page, "perpetuum")
    expect(page.get_by_test_id("no-results")).to_be_visible()
    demo.write("others/1", {"title": "Perpetuum"})
    expect(page.get_by_test_id("hit-title")).to_have_text("Perpetuum")
    demo.delete("others/1")
    expect(page.get_by_test_id("no-results")).to_be_visible()


def test_search_view_can_be_used_with_the_keyboard_alone(page: Page) -> None:
    search = page.get_by_test_id("search-input")
    page.get_by_test_id("sign-in").focus()
    page.keyboard.press("/")
    expect(search).to_be_focused()
    page.keyboard.type("rakes of malow")
    expect(page.get_by_test_id("hit-title").first).to_have_text("The Rakes of Mallow")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("suggestions")).to_be_hidden()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_test_id("hit").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("item-dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("hit").first).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(search).to_be_focused()
    page.keyboard.press("Escape")
    expect(search).to_have_value("")
    expect(page.get_by_test_id("hit")).to_have_count(20)


def test_outdated_response_is_not_shown(page: Page) -> None:
    held: list[Route] = []
    page.route("**/api/search?q=jig*", lambda route: held.append(route))
    with page.expect_request("**/api/search?q=jig*"):
        search_for(page, "jig")
    search_for(page, "rakes of malow")
    expect(page.get_by_test_id("hit-title").first).to_have_text("The Rakes of Mallow")
    held[0].fulfill(json={"total": 0, "hits": [], "facets": {}, "cursor": None, "did_you_mean": None})
    with page.expect_response("**/api/search?q=rakes*"):
        pass
    expect(page.get_by_test_id("hit-title").first).to_have_text("The Rakes of Mallow")


def test_page_shows_an_unavailable_index_and_recovers_on_its_own(browser: Browser, demo: Demo) -> None:
    with opened(browser, demo.address, tolerated=("503",)) as page:
        expect(page.get_by_test_id("hit")).to_have_count(20)
        error = {"code": "index_unavailable", "message": "The search index is not available right now."}
        page.route("**/api/search*", lambda route: route.fulfill(status=503, json={"error": error}))
        expect(page.get_by_test_id("error")).to_have_text(f"{error['message']} Trying again…")
        page.unroute("**/api/search*")
        expect(page.get_by_test_id("error")).to_be_hidden()


def test_page_fits_a_phone(phone: Page) -> None:
    expect(phone.get_by_test_id("facet-form")).to_be_hidden()
    phone.locator("summary").tap()
    phone.get_by_test_id("facet-form").locator("[data-value='Jig']").check()
    phone.locator("summary").tap()
    phone.get_by_test_id("hit").first.tap()
    dialog = phone.get_by_test_id("item-dialog")
    expect(dialog).to_be_visible()
    box = dialog.bounding_box()
    assert box
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 375
    assert box["height"] <= 667
    expect(phone.get_by_test_id("item-edit")).to_be_in_viewport()
    phone.keyboard.press("Escape")
    for view in ("search", "manage", "live"):
        phone.locator(f"[data-view={view}]").tap()
        expect(phone.locator(f"#view-{view}")).to_be_visible()
        assert phone.evaluate("document.documentElement.scrollWidth") <= 375


def test_query_is_stored_in_the_url(page: Page, demo: Demo) -> None:
    search_for(page, "rakes of malow")
    page.wait_for_url(f"{demo.address}/?q=rakes+of+malow")
    page.reload()
    expect(page.get_by_test_id("search-input")).to_have_value("rakes of malow")
    expect(page.get_by_test_id("hit-title").first).to_have_text("The Rakes of Mallow")
