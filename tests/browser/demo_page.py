"""`dynadex demo` as a process, and a Chromium to look at its page with: for the tests and for the screenshots."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

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


@contextmanager
def running_demo(directory: Path, songs: int | None = None) -> Iterator[str]:
    """The demo's address, once it is ready. Its output is in demo.log."""
    command = [sys.executable, "-m", "dynadex", "demo", "--no-browser", "--port", "0", "--dir", str(directory / "demo")]
    if songs is not None:
        command += ["--songs", str(songs)]
    log = directory / "demo.log"
    with log.open("wb") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
    try:
        yield _address(process, log)
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


def _address(process: subprocess.Popen[str], log: Path) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("ready: "):
            return line.removeprefix("ready: ").strip()
    raise RuntimeError(f"the demo ended before it was ready:\n{log.read_text(errors='replace')}")
