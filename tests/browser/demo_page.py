"""`dynadex demo` as a process, and a Chromium that opens its page: for the tests and the screenshots."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from dynadex import clients
from dynadex.settings import RuntimeSettings
from tests.waiting import HANG_SECONDS

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# No background traffic of the browser: no telemetry, no updates.
CHROMIUM_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
)
# A rebuild waits for the longest possible invocation, which is short here.
ENVIRONMENT = {"DYNADEX_MAX_BATCH_SECONDS": "3"}


@dataclass(frozen=True, slots=True)
class Demo:
    """A running demo: the URL of its page, the token for changes, and its folder."""

    address: str
    token: str
    folder: Path

    @property
    def signed_in(self) -> str:
        """The URL of the page with a token for changes."""
        return f"{self.address}/#token={self.token}"

    def write(self, identity: str, item: Mapping[str, Any]) -> None:
        """Write an item without the page, as another user would, over any current version."""
        version = self.read(identity).headers.get("ETag")
        condition = {"If-Match": version} if version else {"If-None-Match": "*"}
        self._request("PUT", identity, condition, json=dict(item)).raise_for_status()

    def read(self, identity: str) -> httpx.Response:
        """Return the service's response to a read of an item."""
        return self._request("GET", identity, {})

    def delete(self, identity: str) -> None:
        """Delete an item without the page."""
        self._request("DELETE", identity, {}).raise_for_status()

    def dynamodb(self) -> DynamoDBClient:
        """Return a client of the table itself, which accepts items that the service rejects."""
        endpoint = json.loads((self.folder / "stack.json").read_text())["endpoints"]["dynamodb"]
        return clients.dynamodb(RuntimeSettings(dynamodb_url=endpoint))

    def _request(self, method: str, identity: str, headers: Mapping[str, str], **more: Any) -> httpx.Response:
        url = f"{self.address}/api/documents/{quote(identity, safe='')}"
        headers = {**headers, "Authorization": f"Bearer {self.token}"}
        return httpx.request(method, url, headers=headers, trust_env=False, timeout=HANG_SECONDS, **more)


@contextmanager
def running_demo(directory: Path, songs: int | None = None) -> Iterator[Demo]:
    """Start a demo, yield it once it is ready, and stop it. Its output is in demo.log."""
    folder = directory / "demo"
    command = [sys.executable, "-m", "dynadex", "demo", "--no-browser", "--port", "0", "--dir", str(folder)]
    if songs is not None:
        command += ["--songs", str(songs)]
    log = directory / "demo.log"
    with log.open("wb") as errors:
        environment = {**os.environ, **ENVIRONMENT}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment)
    try:
        yield _ready(process, log, folder)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.communicate(timeout=HANG_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise


@contextmanager
def chromium() -> Iterator[Browser]:
    """Yield a browser: the one that DYNADEX_CHROMIUM names, the system's, or Playwright's own, in this order."""
    executable = os.environ.get("DYNADEX_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        # Playwright counts in milliseconds.
        expect.set_options(timeout=HANG_SECONDS * 1000)
        browser = playwright.chromium.launch(
            executable_path=executable, args=list(CHROMIUM_ARGUMENTS), timeout=HANG_SECONDS * 1000
        )
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def opened(
    browser: Browser, address: str, size: tuple[int, int] = (1280, 800), tolerated: tuple[str, ...] = (), **options: Any
) -> Iterator[Page]:
    """Yield a page at this URL. Fail at the end if it logged errors or sent requests to another origin.

    ``tolerated``: parts of the errors that a test causes on purpose.
    """
    width, height = size
    context = browser.new_context(viewport={"width": width, "height": height}, has_touch=width < 500, **options)
    context.set_default_timeout(HANG_SECONDS * 1000)
    complaints: list[str] = []
    page = _watched(context, address.split("/#")[0], complaints)
    page.goto(address)
    try:
        yield page
    finally:
        context.close()
    unexpected = [complaint for complaint in complaints if not any(part in complaint for part in tolerated)]
    assert unexpected == [], unexpected


def search_for(page: Page, text: str) -> None:
    """Type a query into the search view."""
    page.get_by_test_id("search-input").fill(text)


def go_to(page: Page, view: str) -> None:
    """Open a view by its tab."""
    page.get_by_test_id(f"tab-{view}").click()
    expect(page.locator(f"#view-{view}")).to_be_visible()


def _watched(context: BrowserContext, origin: str, complaints: list[str]) -> Page:
    page = context.new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("dialog", lambda dialog: complaints.append(f"a script ran: {dialog.message}"))
    page.on("request", lambda request: None if request.url.startswith(origin) else complaints.append(request.url))
    return page


def _ready(process: subprocess.Popen[str], log: Path, folder: Path) -> Demo:
    assert process.stdout is not None
    token = ""
    for line in process.stdout:
        if line.startswith("to edit: "):
            token = line.strip().partition("#token=")[2]
        if line.startswith("ready: "):
            return Demo(line.removeprefix("ready: ").strip(), token, folder)
    raise RuntimeError(f"the demo ended before it was ready:\n{log.read_text(errors='replace')}")
