"""Backends of the contract suites: each is started once, and named at the end of the run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.metadata import version

import pytest

from dynadex.local.engine import Engine
from dynadex.local.stack import Endpoints, LocalStack


@pytest.fixture(scope="session")
def local_stack(tmp_path_factory: pytest.TempPathFactory, report_backend: Callable[[str], None]) -> Iterator[Endpoints]:
    """ministack and osmem-server, as `dynadex local up --engine memory` starts them."""
    with LocalStack(tmp_path_factory.mktemp("local"), engine=Engine.MEMORY) as stack:
        report_backend(f"ministack {version('ministack')}")
        report_backend(f"osmem-server {version('osmem-server')}")
        yield stack.endpoints
