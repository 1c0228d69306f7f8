"""Fixtures of a new user: an empty folder, a local DynamoDB, and a real OpenSearch."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from dynadex import clients
from dynadex.local.stack import LocalStack
from dynadex.settings import RuntimeSettings
from tests.process.processes import commands_in
from tests.stranger.observations import create
from tests.stranger.walk import Walk


@pytest.fixture
def walk(tmp_path_factory: pytest.TempPathFactory, opensearch_url: str, patient_searches: None) -> Iterator[Walk]:  # noqa: ARG001
    """A table with items, an empty folder, and a search cluster without indexes of this run."""
    folder, table = tmp_path_factory.mktemp("stranger"), f"Birds-{os.getpid()}"
    with LocalStack(tmp_path_factory.mktemp("stack"), opensearch_url=opensearch_url) as stack:
        settings = RuntimeSettings(dynamodb_url=stack.endpoints.dynamodb, opensearch_url=opensearch_url)
        create(clients.dynamodb(settings), table)
        # Shorten the takeover from a stopped worker, and the wait before a rebuild.
        quick = {"DYNADEX_WORKER_LEASE_SECONDS": "1", "DYNADEX_MAX_BATCH_SECONDS": "1"}
        with commands_in(folder, **quick) as commands:
            walk = Walk(folder, table, settings, commands)
            yield walk
            walk.remove_indexes()
