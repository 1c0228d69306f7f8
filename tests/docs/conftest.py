"""One local stack for all documents, and a service that searches it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dynadex import clients
from dynadex.http.app import create_app
from dynadex.http.server import listening, serving, url_of
from dynadex.local.engine import Engine
from dynadex.local.stack import LocalStack
from dynadex.runtime import connect
from dynadex.settings import RuntimeSettings
from tests.docs.surroundings import REBUILD_FILE, Surroundings
from tests.docs.tables import SYNCS, create_tables


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RuntimeSettings]:
    """Settings of backends with the tables of the documents."""
    with LocalStack(tmp_path_factory.mktemp("stack"), engine=Engine.MEMORY) as stack:
        endpoints = stack.endpoints
        settings = RuntimeSettings(dynamodb_url=endpoints.dynamodb, opensearch_url=endpoints.opensearch)
        create_tables(clients.dynamodb(settings))
        yield settings


@pytest.fixture(scope="session")
def service(settings: RuntimeSettings) -> Iterator[str]:
    """URL of a service that searches the lessons, once their index exists."""
    runtime = connect(SYNCS["lessons"], settings)
    app = create_app(runtime.sync, runtime.index, runtime.table, runtime.description.schema)
    with listening(0) as sock, serving(app, sock):
        yield url_of(sock)


@pytest.fixture
def surroundings(tmp_path: Path, settings: RuntimeSettings, service: str) -> Iterator[Surroundings]:
    """Surroundings of one document."""
    names = {
        "https://search.example.com": settings.opensearch_url,
        "0.0.0.0:9464": "127.0.0.1:0",
        "dynadex rebuild ": f"python {REBUILD_FILE} rebuild ",
        # A dry run needs neither an account nor Node.js.
        "dynadex deploy ": "dynadex deploy --dry-run ",
    }
    made = Surroundings(tmp_path, settings, service, names)
    try:
        yield made
    finally:
        made.clean()
