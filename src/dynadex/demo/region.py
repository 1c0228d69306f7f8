"""One region as a separate process: ``python -m dynadex.demo.region OPTIONS PARENT_PID``.

It has its own search engine, worker and HTTP service. The regions share one DynamoDB endpoint, each under its own
region name. Killing the process ends all of it, which simulates the loss of a region. When it is started again, it
starts with an empty index, fills it, and is ready after that. It prints the URL of the service as a JSON line.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from dynadex.demo.service import local_settings, running
from dynadex.errors import DynadexError
from dynadex.http.server import listening, url_of
from dynadex.local.child import Program
from dynadex.local.engine import Engine
from dynadex.local.parent import end_with_parent
from dynadex.local.stack import LocalStack
from dynadex.local.state import StackFolder
from dynadex.settings import RuntimeSettings
from dynadex.sync import load_sync

_WATCH_SECONDS = 0.5
# Short, because a restarted region waits for the lease of the killed process to expire.
_LEASE_SECONDS = 2.0
# An idle worker reports up to eight seconds of lag.
_READY_LAG_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class RegionOptions:
    """Options of one region.

    ``secret`` (hexadecimal) signs the tokens that permit writes, and is the same in every region. ``opensearch_url``
    None starts ``engine``.
    """

    name: str
    directory: str
    sync: str
    dynamodb_url: str
    secret: str
    opensearch_url: str | None = None
    engine: Engine = Engine.OPENSEARCH

    def program(self) -> Program:
        """Return how to start the process of the region."""
        folder = StackFolder(Path(self.directory))
        folder.prepare()
        return Program(
            name=f"region {self.name}",
            command=(sys.executable, "-P", "-m", "dynadex.demo.region", json.dumps(asdict(self)), str(os.getpid())),
            environment=os.environ.copy(),
            health_path="/health/live",
            log=folder.log("region"),
        )

    def settings(self, opensearch_url: str) -> RuntimeSettings:
        """Return the settings of this region. Only the DynamoDB endpoint is shared with other regions."""
        return local_settings(
            dynamodb_url=self.dynamodb_url,
            opensearch_url=opensearch_url,
            region=self.name,
            dead_letters=f"file:{Path(self.directory) / 'dead-letters.jsonl'}",
            worker_lease_seconds=_LEASE_SECONDS,
            max_ready_lag_seconds=_READY_LAG_SECONDS,
        )


def run(options: RegionOptions) -> None:
    """Run until the parent process ends. Raises DynadexError if a part of it fails."""
    from dynadex.http.auth import TokenAuth

    auth = TokenAuth(bytes.fromhex(options.secret))
    folder = Path(options.directory) / "search"
    with ExitStack() as parts:
        sock = parts.enter_context(listening(0))
        stack = parts.enter_context(
            LocalStack(
                folder,
                dynamodb_url=options.dynamodb_url,
                opensearch_url=options.opensearch_url,
                engine=Engine(options.engine),
            )
        )
        settings = options.settings(stack.endpoints.opensearch)
        service = parts.enter_context(running(load_sync(options.sync), settings, sock, auth, options.name))
        print(json.dumps({"url": url_of(sock)}), flush=True)
        # A lost index is filled automatically. The router sends searches here only after that.
        service.fill()
        while True:
            service.runtime.clock.sleep(_WATCH_SECONDS)
            stack.check()
            service.check()


if __name__ == "__main__":
    end_with_parent(int(sys.argv[2]))
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    try:
        run(RegionOptions(**json.loads(sys.argv[1])))
    except DynadexError as error:
        sys.exit(str(error))
