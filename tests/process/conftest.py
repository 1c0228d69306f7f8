"""Backends and scenes for tests with real processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from dynadex.local.engine import Engine
from dynadex.local.stack import LocalStack
from tests.process.processes import Commands, commands_in
from tests.process.scene import Scene

# Takes a name, and the URLs of DynamoDB and OpenSearch if they differ from those of the local stack.
SceneMaker = Callable[..., Scene]


@pytest.fixture(scope="session")
def local_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """A local stack for all tests; each uses tables and indexes with unique names."""
    with LocalStack(tmp_path_factory.mktemp("local-stack"), engine=Engine.MEMORY) as stack:
        yield stack


@pytest.fixture
def make_scene(local_stack: LocalStack, tmp_path: Path) -> Iterator[SceneMaker]:
    """Create a scene, without its table."""
    with ExitStack() as scenes:

        def make(name: str, dynamodb_url: str = "", opensearch_url: str = "") -> Scene:
            endpoints = local_stack.endpoints
            scene = Scene(tmp_path, name, dynamodb_url or endpoints.dynamodb, opensearch_url or endpoints.opensearch)
            scenes.callback(scene.close)
            return scene

        yield make


@pytest.fixture
def commands(local_stack: LocalStack, tmp_path: Path) -> Iterator[Commands]:
    """`dynadex` commands in the directory of the test, connected to the local stack."""
    endpoints = local_stack.endpoints
    with commands_in(
        tmp_path,
        DYNADEX_DYNAMODB_URL=endpoints.dynamodb,
        DYNADEX_WORKER_LEASE_SECONDS="1",
        OPENSEARCH_URL=endpoints.opensearch,
    ) as commands:
        yield commands
