"""The steps of a new user, each of which asserts its result."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from dynadex import Sync, clients
from dynadex.document.typed_json import typed
from dynadex.http.app import create_app
from dynadex.runtime import connect
from dynadex.settings import RuntimeSettings
from tests.process.processes import Commands, Running
from tests.stranger.observations import COUNT
from tests.waiting import HANG_SECONDS, wait_for

MODULE_FILES = ("compose.yaml", "infra/app.py", "infra/cdk.json", "pyproject.toml", "README.md", "requirements.txt")


@dataclass
class Walk:
    """A new user who works in ``folder`` with ``table``."""

    folder: Path
    table: str
    settings: RuntimeSettings
    commands: Commands

    @property
    def module(self) -> str:
        return self.table.lower().replace("-", "_")

    @property
    def index(self) -> str:
        return self.table.lower()

    @property
    def reference(self) -> str:
        return f"{self.module}:sync"

    def run(self, command: str, *arguments: str, code: int = 0) -> Running:
        """Run a dynadex command to its end."""
        running = self.commands.start(command, *arguments)
        assert running.wait() == code, str(running)
        return running

    def on_sync(self, command: str, *arguments: str, code: int = 0) -> Running:
        return self.run(command, self.reference, *arguments, code=code)

    def init(self) -> None:
        urls = ("--dynamodb", str(self.settings.dynamodb_url), "--opensearch", self.settings.opensearch_url)
        made = self.run("init", self.table, *urls)
        files = {f"{self.module}.py", f"tests/test_{self.module}.py", *MODULE_FILES}
        assert set(made.output) == files
        made.wait_for_line("requirements.txt names the wheel of dynadex, which is not in the folder yet: make -C ")
        assert {str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file()} == files
        for conflict in (r"flock: number in 216, text in 24", r"weather: text in 200, map in 40", r"per_day: 240 diff"):
            made.wait_for_line(conflict)

    def test_the_project(self) -> None:
        """Run the generated tests."""
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        env = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        done = subprocess.run(
            command, cwd=self.folder, env=env, capture_output=True, text=True, check=False, timeout=HANG_SECONDS
        )
        assert (done.returncode, "3 passed" in done.stdout) == (0, True), done.stdout + done.stderr

    def check(self) -> dict[str, Any]:
        """Return the result of `dynadex check`, which must have no serious finding."""
        [line] = self.on_sync("check", "--json").output
        result: dict[str, Any] = json.loads(line)
        assert (result["items"], result["documents"], result["dead_lettered"], result["fits"]) == (
            COUNT,
            COUNT,
            0,
            True,
        ), result
        return result

    def search(self, **parameters: str) -> Any:
        """Return a response of the search service for the generated Sync."""
        runtime = connect(self.sync(), self.settings)
        runtime.index.refresh(self.index)
        app = create_app(runtime.sync, runtime.index, runtime.table, runtime.description.schema)
        transport = httpx.ASGITransport(app=app)

        async def send() -> httpx.Response:
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
                return await client.get("/api/search", params=parameters)

        reply = asyncio.run(send())
        assert reply.status_code == 200, reply.text
        return reply.json()

    def sync(self) -> Sync:
        """Load the Sync from the current module file."""
        spec = importlib.util.spec_from_file_location(self.module, self.folder / f"{self.module}.py")
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        sync = module.sync
        assert isinstance(sync, Sync)
        return sync

    def edit(self, changes: Mapping[str, str]) -> None:
        """Replace texts in the module file."""
        path = self.folder / f"{self.module}.py"
        text = path.read_text()
        for before, after in changes.items():
            assert before in text
            text = text.replace(before, after)
        path.write_text(text)

    def put(self, item: Mapping[str, Any]) -> None:
        clients.dynamodb(self.settings).put_item(TableName=self.table, Item=typed(dict(item))["M"])

    def items(self) -> list[dict[str, Any]]:
        pages = clients.dynamodb(self.settings).get_paginator("scan").paginate(TableName=self.table)
        return [dict(item) for page in pages for item in page["Items"]]

    def dead_lettered(self) -> list[str]:
        """Return the ids in the dead-letter file."""
        path = self.folder / "dead-letters.jsonl"
        return [json.loads(line)["id"] for line in path.read_text().splitlines()] if path.exists() else []

    def await_total(self, total: int, **parameters: str) -> Any:
        return wait_for(
            lambda: (response := self.search(**parameters))["total"] == total and response,
            f"{total} hits of {parameters}", every_seconds=0.2,
        )  # fmt: skip

    def query(self, query: Mapping[str, Any]) -> int:
        """Return the number of documents that match an OpenSearch query."""
        with clients.opensearch(self.settings) as client:
            client.indices.refresh(index=self.index)
            return int(client.count(index=self.index, body={"query": query})["count"])

    def remove_indexes(self) -> None:
        with clients.opensearch(self.settings) as client:
            for name in client.indices.get(index=f"{self.index}-20*"):
                client.indices.delete(index=name)
