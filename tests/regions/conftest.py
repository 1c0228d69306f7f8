"""Two regions for the whole suite, and its final line with figures."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
from opensearchpy import OpenSearch

from dynadex.demo.lessons import sync
from dynadex.demo.loader import load as load_songs
from dynadex.testing.opensearch import OpenSearchNode
from tests.regions.figures import Figures
from tests.regions.world import FIRST, SECOND, World, two_regions
from tests.songs import all_songs
from tests.waiting import HANG_SECONDS, wait_for

_FIGURES = pytest.StashKey[Figures]()
# `make regions` sets 1: everything at full length, and a real OpenSearch in both regions.
SCALE = float(os.environ.get("REGIONS_SCALE", "0.04"))


def scaled(full: int, min_count: int = 1) -> int:
    """Return the number of repetitions in this run."""
    return max(min_count, round(full * SCALE))


@pytest.fixture(scope="session")
def figures(pytestconfig: pytest.Config) -> Figures:
    """The figures of the whole run, to add to."""
    return pytestconfig.stash.setdefault(_FIGURES, Figures())


@pytest.fixture(scope="session")
def nodes(
    opensearch_url: str, tmp_path_factory: pytest.TempPathFactory, report_backend: Callable[[str], None]
) -> Iterator[dict[str, OpenSearchNode | str]]:
    """A real OpenSearch for the first region, and in the full run one for the second, which loses its data."""
    _delete_lessons(opensearch_url)
    if SCALE < 1:
        yield {FIRST: opensearch_url}
    else:
        with OpenSearchNode(tmp_path_factory.mktemp("second")) as second:
            report_backend(f"opensearch {second.version}")
            yield {FIRST: opensearch_url, SECOND: second}
    _delete_lessons(opensearch_url)


@pytest.fixture(scope="session")
def world(nodes: dict[str, OpenSearchNode | str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Two regions that hold the same songs."""
    with two_regions(tmp_path_factory.mktemp("regions"), nodes) as made:
        songs = all_songs()[: scaled(13_925, min_count=300)]
        load_songs(made.regions.dynamodb(FIRST), sync.table, songs, lambda _: None)
        wait_for(lambda: made.regions.min_documents() >= len(songs), "every song in both regions", every_seconds=0.2)
        made.await_healthy(FIRST, SECOND)
        yield made


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Print the figures after the summary of pytest."""
    figures = config.stash.get(_FIGURES, None)
    if figures:
        config.get_terminal_writer().line(str(figures))


@pytest.fixture
def print_line(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Print a line that is shown even if the test passes."""

    def line(text: str) -> None:
        with capsys.disabled():
            print(f"\n{text}", end="", flush=True)

    return line


def _delete_lessons(opensearch_url: str) -> None:
    """Delete indexes of the demo that an earlier run left in the cluster."""
    with OpenSearch(opensearch_url, timeout=HANG_SECONDS) as client:
        for name in client.indices.get(index=f"{sync.index}-*"):
            client.indices.delete(index=name)
