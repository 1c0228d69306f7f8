"""The page of a table unlike the demo's: a composite key with a number, and no version."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from dynadex import Search, Sync, analysis, clients
from dynadex.http.app import HttpOptions, create_app
from dynadex.http.server import listening, serving, url_of
from dynadex.runtime import connect
from dynadex.settings import RuntimeSettings
from tests.browser.demo_page import Demo, go_to, opened, search_for
from tests.process.following import worker
from tests.unit.service import AUTH

WORDS = {"type": "keyword"}


def orders() -> Sync:
    """Orders of customers, by number."""
    name = f"orders-{uuid.uuid4().hex[:8]}"
    return Sync(
        table=name,
        index=name,
        settings={"analysis": analysis.settings()},
        mappings={
            "properties": {
                "customer": WORDS, "number": {"type": "long"}, "goods": analysis.title(), "state": WORDS,
                "paid": {"type": "boolean"},
            }
        },
        search=Search(fields={"goods": 1}, facets=("state",)),
    )  # fmt: skip


@pytest.fixture
def page(browser: Browser, demo: Demo) -> Iterator[Page]:
    """The page of a service with its own worker on the demo's backends, signed in."""
    endpoints = json.loads((demo.folder / "stack.json").read_text())["endpoints"]
    settings = RuntimeSettings(dynamodb_url=endpoints["dynamodb"], opensearch_url=endpoints["opensearch"])
    sync = orders()
    clients.dynamodb(settings).create_table(
        TableName=sync.table,
        KeySchema=[{"AttributeName": "customer", "KeyType": "HASH"}, {"AttributeName": "number", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "customer", "AttributeType": "S"},
            {"AttributeName": "number", "AttributeType": "N"},
        ],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    runtime = connect(sync, settings)
    runtime.ensure_index()
    options = HttpOptions(auth=AUTH, timing=settings.timing)
    app = create_app(sync, runtime.index, runtime.table, runtime.description.schema, options)
    with (
        worker(sync, settings),
        listening(0) as sock,
        serving(app, sock),
        opened(browser, f"{url_of(sock)}/#token={AUTH.token(600)}") as page,
    ):
        yield page


def _search(page: Page) -> None:
    page.locator("[data-view=search]").click()
    expect(page.locator("#view-search")).to_be_visible()


def test_item_with_a_composite_key_is_added_found_changed_and_deleted(page: Page) -> None:
    go_to(page, "manage")
    page.get_by_test_id("add").click()
    for name, value in {"customer": "ann|bee/%41", "number": "7", "goods": "Ebony clarinet", "state": "open"}.items():
        page.get_by_test_id(f"field-{name}").fill(value)
    page.get_by_test_id("save").click()
    notice = page.get_by_test_id("notice")
    expect(notice).to_contain_text("found by searches")

    page.get_by_test_id("item-row").filter(has_text="Ebony clarinet").get_by_test_id("item-name").click()
    # The key identifies the item, so it cannot be edited.
    expect(page.get_by_test_id("field-number")).to_have_count(0)
    page.get_by_test_id("field-goods").fill("Ebony bassoon")
    page.get_by_test_id("save").click()
    row = page.get_by_test_id("item-row").filter(has_text="Ebony bassoon")
    expect(row).to_contain_text("ann|bee/%417")
    expect(row.get_by_test_id("item-state")).to_have_text("")

    _search(page)
    search_for(page, "basoon")
    expect(page.get_by_test_id("hit-title").first).to_have_text("Ebony bassoon")
    page.get_by_test_id("hit").first.click()
    expect(page.get_by_test_id("item-dialog")).to_contain_text("ann|bee/%41")
    page.keyboard.press("Escape")

    go_to(page, "manage")
    row.get_by_test_id("item-delete").click()
    expect(notice).to_contain_text(re.compile(r"removed from searches after \d+\.\d s"))
    _search(page)
    expect(page.get_by_test_id("no-results")).to_be_visible()
