"""One local stack for all documents, a service that searches it, and environments with the wheel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dynadex import clients
from dynadex.http.app import create_app
from dynadex.http.server import listening, serving, url_of
from dynadex.local.engine import Engine
from dynadex.local.stack import LocalStack
from dynadex.runtime import connect
from dynadex.settings import RuntimeSettings
from tests.docs.blocks import ROOT, blocks_of
from tests.docs.surroundings import REBUILD_FILE, Surroundings
from tests.docs.tables import SYNCS, create_tables
from tests.package.environments import clone, constraints, run, seeded


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


@dataclass(frozen=True, slots=True)
class Clone:
    """A clone in ``folder``, which has a wheel in `dist`. ``variables`` let make and pip use the tested versions."""

    folder: Path
    variables: dict[str, str]


@pytest.fixture(scope="session")
def reader_clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone in which `make dist` was run."""
    folder, variables = clone(tmp_path_factory.mktemp("clone"))
    run("env", *(f"{name}={value}" for name, value in variables.items()), "make", "-C", folder, "dist")
    return Clone(folder, {**variables, "PIP_CONSTRAINT": str(constraints(folder.parent))})


@pytest.fixture(scope="session")
def programs(reader_clone: Clone, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Programs of an environment with the wheel, for the documents that install nothing."""
    programs = seeded(tmp_path_factory.mktemp("environment") / "venv")
    run(programs / "pip", "install", "-q", "--no-index", *reader_clone.folder.glob("dist/*.whl"))
    return programs


@pytest.fixture
def surroundings(
    tmp_path: Path, settings: RuntimeSettings, service: str, reader_clone: Clone, request: pytest.FixtureRequest
) -> Iterator[Surroundings]:
    """Surroundings of one document: an environment without dynadex if it installs dynadex, a clone next to its folder.

    Only the README is followed in the clone itself.
    """
    document = request.node.callspec.params["document"] if hasattr(request.node, "callspec") else ""
    installs = document and any("\n$ pip install " in f"\n{block.text}" for block in blocks_of(ROOT / document))
    programs = seeded(tmp_path / "venv") if installs else request.getfixturevalue("programs")
    (tmp_path / "dynadex").symlink_to(reader_clone.folder)
    folder = reader_clone.folder if document == "README.md" else tmp_path / "work"
    folder.mkdir(exist_ok=True)
    names = {
        "https://search.example.com": settings.opensearch_url,
        "0.0.0.0:9464": "127.0.0.1:0",
        "dynadex rebuild ": f"python {REBUILD_FILE} rebuild ",
        # A dry run needs neither an account nor Node.js.
        "dynadex deploy ": "dynadex deploy --dry-run ",
    }
    made = Surroundings(folder, programs, settings, service, names, **reader_clone.variables)
    try:
        yield made
    finally:
        made.clean()
