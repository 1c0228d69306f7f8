"""`dynadex demo` as a process, and a Chromium to look at its page with: for the tests and for the screenshots."""

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

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

STOP_SECONDS = 30
# Nothing but what a page needs: no calls home, no updates.
CHROMIUM_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
)
# A rebuild waits for the longest invocation there may be: none is long here.
ENVIRONMENT = {"DYNADEX_MAX_BATCH_SECONDS": "3"}


@dataclass(frozen=True, slots=True)
class Demo:
    """A demo that runs: where its page is, the token for changes, and its folder."""

    address: str
    token: str
    folder: Path

    @property
    def signed_in(self) -> str:
        """The page's address for those who edit."""
        return f"{self.address}/#token={self.token}"

    def write(self, identity: str, item: Mapping[str, Any]) -> None:
        """Write an item past the page, as somebody else would, whatever version is there."""
        version = self.read(identity).headers.get("ETag")
        condition = {"If-Match": version} if version else {"If-None-Match": "*"}
        self._ask("PUT", identity, condition, json=dict(item)).raise_for_status()

    def read(self, identity: str) -> httpx.Response:
        """An item as the service tells it."""
        return self._ask("GET", identity, {})

    def delete(self, identity: str) -> None:
        """Delete an item past the page."""
        self._ask("DELETE", identity, {}).raise_for_status()

    def dynamodb(self) -> DynamoDBClient:
        """The table itself: it takes items that the service would refuse."""
        endpoint = json.loads((self.folder / "stack.json").read_text())["endpoints"]["dynamodb"]
        return clients.dynamodb(RuntimeSettings(dynamodb_url=endpoint))

    def _ask(self, method: str, identity: str, headers: Mapping[str, str], **more: Any) -> httpx.Response:
        url = f"{self.address}/api/documents/{quote(identity, safe='')}"
        authorised = {**headers, "Authorization": f"Bearer {self.token}"}
        return httpx.request(method, url, headers=authorised, trust_env=False, **more)


@contextmanager
def running_demo(directory: Path, songs: int | None = None) -> Iterator[Demo]:
    """The demo, once it is ready. Its output is in demo.log."""
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
            process.communicate(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser that DYNADEX_CHROMIUM names, else the system's, else Playwright's own."""
    executable = os.environ.get("DYNADEX_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(CHROMIUM_ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def opened(
    browser: Browser, address: str, size: tuple[int, int] = (1280, 800), tolerated: tuple[str, ...] = (), **options: Any
) -> Iterator[Page]:
    """A page at this address. Whatever it complains about, or asks elsewhere for, fails in the end.

    ``tolerated``: parts of complaints that a test brings about itself.
    """
    width, height = size
    context = browser.new_context(viewport={"width": width, "height": height}, has_touch=width < 500, **options)
    complaints: list[str] = []
    page = _watched(context, address.split("/#")[0], complaints)
    page.goto(address)
    try:
        yield page
    finally:
        context.close()
    left = [one for one in complaints if not any(part in one for part in tolerated)]
    assert left == [], left


def search_for(page: Page, text: str) -> None:
    """Type into the field of the search view."""
    page.get_by_test_id("search-input").fill(text)


def go_to(page: Page, view: str) -> None:
    """Change to another view by its tab."""
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
