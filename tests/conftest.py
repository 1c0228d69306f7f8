"""Settings and fixtures of every test: a real OpenSearch, and a line at the end of the run that names each backend."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, settings
from opensearchpy import OpenSearch

from tests.waiting import HANG_SECONDS

BACKENDS = pytest.StashKey[set[str]]()

# No property fails because an example took long. Set here, because a decorated test inherits it when it is imported.
settings.register_profile("dynadex", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("dynadex")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[BACKENDS] = set()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    backends = config.stash[BACKENDS]
    for backend in sorted(backends):
        terminalreporter.write_line(f"backend: {backend}")


@pytest.fixture(scope="session")
def report_backend(pytestconfig: pytest.Config) -> Callable[[str], None]:
    """Report a backend as "name version"; the end of the run lists the reported backends."""
    return pytestconfig.stash[BACKENDS].add


@pytest.fixture(scope="module")
def patient_searches() -> Iterator[None]:
    """Searches of a service in this process do not time out on a slow machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dynadex.http.searches._TIMEOUT_SECONDS", HANG_SECONDS)
        patch.setattr("dynadex.http.read_your_writes._SEARCH_TIMEOUT_SECONDS", HANG_SECONDS)
        yield


class _Messages(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """The messages that dynadex logs during the test, from INFO up."""
    handler, logger = _Messages(), logging.getLogger("dynadex")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler.messages
    logger.removeHandler(handler)
    logger.setLevel(level)


@pytest.fixture(scope="session")
def opensearch_url(opensearch_url: str, report_backend: Callable[[str], None]) -> str:
    """URL of a real OpenSearch: the one OPENSEARCH_URL names, or a new node. Without either, the test fails."""
    with OpenSearch(opensearch_url, timeout=HANG_SECONDS) as client:
        report_backend(f"opensearch {client.info()['version']['number']}")
    return opensearch_url
