"""The demo as a real process: its page, writes of a lesson, and the end of all its processes."""

from __future__ import annotations

import json
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest

from tests.process.processes import Commands, Running, commands_in
from tests.waiting import HANG_SECONDS, wait_for

SONGS = 400


class Page:
    """A client of the HTTP service of the demo."""

    def __init__(self, url: str, token: str = "") -> None:
        self._url = url
        self._token = token

    def search(self, words: str) -> Any:
        return self._call("GET", f"/api/search?q={quote_plus(words)}")

    def titles(self, words: str) -> list[str]:
        return [hit["document"]["title"] for hit in self.search(words)["hits"]]

    def put(self, identity: str, lesson: dict[str, Any], version: int | None = None) -> int:
        """Write a new lesson, or replace this version; return the new version."""
        condition = {"If-None-Match": "*"} if version is None else {"If-Match": f'"{version}"'}
        written = self._call("PUT", f"/api/documents/{identity}", lesson, condition)
        return int(written["version"] or 0)

    def get(self, identity: str) -> Any:
        return self._call("GET", f"/api/documents/{identity}")

    def delete(self, identity: str) -> None:
        self._call("DELETE", f"/api/documents/{identity}")

    def health(self, which: str) -> Any:
        return self._call("GET", f"/health/{which}")

    def _call(self, method: str, path: str, body: Any = None, more: dict[str, str] | None = None) -> Any:
        content = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._token}", **(more or {})}
        request = urllib.request.Request(self._url + path, content, headers, method=method)
        with urllib.request.urlopen(request, timeout=HANG_SECONDS) as answer:
            text = answer.read()
        return json.loads(text) if text else None


@pytest.fixture(scope="module")
def quiet_commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    with commands_in(tmp_path_factory.mktemp("demo")) as commands:
        yield commands


@pytest.fixture(scope="module")
def demo(quiet_commands: Commands) -> Running:
    return start_demo(quiet_commands, SONGS)


@pytest.fixture(scope="module")
def page(demo: Running) -> Page:
    url = url_of(demo)
    return Page(url, demo.wait_for_line(r"^to edit: \S+#token=(\S+)$")[1])


def start_demo(commands: Commands, songs: int, *options: str) -> Running:
    return commands.start("demo", "--no-browser", "--port", "0", "--songs", str(songs), *options)


def url_of(demo: Running) -> str:
    return demo.wait_for_line(r"^ready: (http://127\.0\.0\.1:\d+)$")[1]


def descendants(pid: int) -> set[int]:
    """Return the ids of all descendants of a process."""
    listing = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    parents = {int(child): int(parent) for child, parent in map(str.split, listing.splitlines())}
    children, front = set[int](), {pid}
    while front:
        front = {child for child, parent in parents.items() if parent in front}
        children |= front
    return children


def is_alive(pid: int) -> bool:
    """Return whether the process is running. One that has ended but was not reaped is not."""
    answer = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return bool(answer.stdout.strip()) and not answer.stdout.lstrip().startswith("Z")


def test_song_is_found_by_a_misspelled_name(page: Page) -> None:
    answer = page.search("rakes of malow")
    assert answer["total"] >= 1
    titles = [hit["document"]["title"] for hit in answer["hits"]]
    assert any("Rakes of Mallow" in title.replace("The ", "") for title in titles), titles
    assert {"id", "document", "highlight"} <= answer["hits"][0].keys()


def test_search_shows_writes_of_a_lesson(page: Page) -> None:
    lesson = {"title": "The Zanzibar Polka", "form": "polka", "key": "D", "difficulty": 2}
    version = page.put("mine", lesson)
    wait_for(lambda: page.titles("zanzibar polka")[:1] == ["The Zanzibar Polka"], "the lesson in the results")
    assert lesson.items() <= page.get("mine").items()

    page.put("mine", {**lesson, "title": "The Kathmandu Polka"}, version)
    wait_for(lambda: page.titles("kathmandu polka")[:1] == ["The Kathmandu Polka"], "its change in the results")
    assert "The Zanzibar Polka" not in page.titles("zanzibar polka")

    page.delete("mine")
    wait_for(lambda: "The Kathmandu Polka" not in page.titles("kathmandu polka"), "its absence from the results")
    with pytest.raises(urllib.error.HTTPError, match="404") as rejected:
        page.get("mine")
    rejected.value.close()


def test_demo_is_live_and_ready(page: Page) -> None:
    assert page.health("live") == {"status": "live"}

    def ready() -> Any:
        try:
            return page.health("ready")
        except urllib.error.HTTPError as not_ready:
            # On a busy machine, the lag may be too long for a moment.
            not_ready.close()
            return None

    report = wait_for(ready, "ready")
    assert report["status"] == "ready"
    assert 0.0 <= report["lag_seconds"] < float("inf")


def test_output_is_two_urls_and_progress_goes_to_standard_error(demo: Running) -> None:
    url_of(demo)
    demo.wait_for_line(f"{SONGS} songs written to the table")
    demo.wait_for_line(f"{SONGS} songs found in the index")
    assert len(demo.output) == 2


def test_ctrl_c_ends_the_demo_and_its_child_processes(demo: Running) -> None:
    url_of(demo)
    children = descendants(demo.pid)
    assert len(children) >= 2, "it starts two backends"
    assert demo.stop(signal.SIGINT) == 0, str(demo)
    assert not any(map(is_alive, children))
    assert "Traceback" not in str(demo)
    demo.wait_for_line("stopped: ")


def test_killed_demo_leaves_no_child_process(tmp_path: Path) -> None:
    with commands_in(tmp_path) as commands:
        demo = start_demo(commands, 25, "--engine", "memory")
        url_of(demo)
        children = descendants(demo.pid)
        assert len(children) >= 2
        demo.kill()
        wait_for(lambda: not any(map(is_alive, children)), "the end of what it started")


def test_signal_during_the_start_ends_the_demo_and_its_child_processes(tmp_path: Path) -> None:
    with commands_in(tmp_path) as commands:
        demo = start_demo(commands, 1000, "--engine", "memory")
        demo.wait_for_line("reading the stream")
        children = descendants(demo.pid)
        assert demo.stop() == 0, str(demo)
        assert not any(map(is_alive, children))


def test_demo_uses_running_backends(commands: Commands) -> None:
    urls = commands.variables
    backends = ("--dynamodb", urls["DYNADEX_DYNAMODB_URL"], "--opensearch", urls["OPENSEARCH_URL"])
    demo = start_demo(commands, 25, *backends)
    assert Page(url_of(demo)).search("")["total"] == 25
    assert descendants(demo.pid) == set()
    assert demo.stop() == 0


def test_requests_to_several_regions_go_through_a_router(tmp_path: Path) -> None:
    with commands_in(tmp_path) as commands:
        demo = start_demo(commands, 25, "--regions", "us-east-1,eu-west-1", "--engine", "memory")
        url = url_of(demo)
        with urllib.request.urlopen(f"{url}/regions", timeout=HANG_SECONDS) as answer:
            regions = json.loads(answer.read())["regions"]
        assert [region["name"] for region in regions] == ["us-east-1", "eu-west-1"]
        request = urllib.request.Request(f"{url}/api/search?q=", headers={"X-Location": "europe"})

        def served_at_home() -> bool:
            # On a busy machine, a health check may have been late.
            try:
                with urllib.request.urlopen(request, timeout=HANG_SECONDS) as answer:
                    assert json.loads(answer.read())["total"] == 25
                    return bool(answer.headers["X-Dynadex-Region"] == "eu-west-1")
            except urllib.error.HTTPError as unavailable:
                unavailable.close()
                return False

        wait_for(served_at_home, "a response of the region in Europe", every_seconds=0.2)
        children = descendants(demo.pid)
        assert len(children) >= 5, "a table, and in each region a process and its search engine"
        assert demo.stop(signal.SIGINT) == 0, str(demo)
        assert not any(map(is_alive, children))
        assert "Traceback" not in str(demo)


@pytest.mark.parametrize("names", ["us-east-1", "us-east-1,us-east-1", "mars,us-east-1"])
def test_invalid_regions_are_rejected(quiet_commands: Commands, names: str) -> None:
    rejected = quiet_commands.start("demo", "--no-browser", "--regions", names)
    assert rejected.wait() == 1
    assert rejected.errors[0].startswith("dynadex: Cannot run regions")
    assert "For example: --regions us-east-1,eu-west-1." in str(rejected)
