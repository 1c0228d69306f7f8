"""Two regions for the whole suite, and the line of figures it ends with."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
from opensearchpy import OpenSearch

from dynadex.demo.lessons import sync
from dynadex.demo.loader import load as load_songs
from tests.opensearch_node import OpenSearchNode
from tests.process.processes import wait_for
from tests.regions.figures import Figures
from tests.regions.world import FIRST, SECOND, World, two_regions
from tests.songs import all_songs

_FIGURES = pytest.StashKey[Figures]()
# `make regions` sets 1: everything at full length, and a real OpenSearch in both regions.
SCALE = float(os.environ.get("REGIONS_SCALE", "0.04"))


def scaled(full: int, least: int = 1) -> int:
    """How often something is done in this run."""
    return max(least, round(full * SCALE))


@pytest.fixture(scope="session")
def figures(pytestconfig: pytest.Config) -> Figures:
    """What the whole run does; add to it."""
    return pytestconfig.stash.setdefault(_FIGURES, Figures())


@pytest.fixture(scope="session")
def nodes(
    opensearch_url: str, tmp_path_factory: pytest.TempPathFactory, report_backend: Callable[[str], None]
) -> Iterator[dict[str, OpenSearchNode | str]]:
    """The first region's real OpenSearch lives through everything; the second's, in the full run, is lost and wiped."""
    _forget_lessons(opensearch_url)
    if SCALE < 1:
        yield {FIRST: opensearch_url}
    else:
        with OpenSearchNode(tmp_path_factory.mktemp("second")) as second:
            report_backend(f"opensearch {second.version}")
            yield {FIRST: opensearch_url, SECOND: second}
    _forget_lessons(opensearch_url)


@pytest.fixture(scope="session")
def world(nodes: dict[str, OpenSearchNode | str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Two regions that hold the same songs."""
    with two_regions(tmp_path_factory.mktemp("regions"), nodes) as made:
        songs = all_songs()[: scaled(13_925, least=300)]
        load_songs(made.regions.dynamodb(FIRST), sync.table, songs, lambda _: None)
        wait_for(lambda: made.regions.min_documents() >= len(songs), "every song in both regions", 120, 0.2)
        made.await_healthy(FIRST, SECOND)
        yield made


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """The very last line, after pytest's own."""
    figures = config.stash.get(_FIGURES, None)
    if figures:
        config.get_terminal_writer().line(str(figures))


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """A line that is seen although the test passes."""

    def line(text: str) -> None:
        with capsys.disabled():
            print(f"\n{text}", end="", flush=True)

    return line


def _forget_lessons(opensearch_url: str) -> None:
    """The demo's index has one name; the cluster may have been used before."""
    with OpenSearch(opensearch_url) as client:
        for name in client.indices.get(index=f"{sync.index}-*"):
            client.indices.delete(index=name)
