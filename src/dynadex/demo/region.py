"""One region as a process of its own: ``python -m dynadex.demo.region OPTIONS PARENT_PID``.

It has its own search engine, worker and HTTP service, and shares the table's endpoint with the other regions, under
its own name. All of it ends at once when the process does, as when a region is lost; what starts next begins with an
empty index, fills it, and is ready only then. The service's address is printed as a JSON line.
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
from dynadex.local.parent import end_with_parent
from dynadex.local.stack import LocalStack
from dynadex.local.state import StackFolder
from dynadex.settings import RuntimeSettings
from dynadex.sync import load_sync

_WATCH_SECONDS = 0.5
# A region that restarts finds the lease of the one that was killed.
_LEASE_SECONDS = 2.0
# With nothing to do a worker notes up to eight seconds of lag.
_READY_LAG_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class RegionOptions:
    """``secret`` (hexadecimal) signs the tokens of those who may write, in every region the same.

    ``opensearch_url`` None: a search engine of its own, in memory.
    """

    name: str
    directory: str
    sync: str
    dynamodb_url: str
    secret: str
    opensearch_url: str | None = None

    def program(self) -> Program:
        """How to start it."""
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
        """This region's: another region, another index, other checkpoints; only the endpoint of DynamoDB is shared."""
        return local_settings(
            dynamodb_url=self.dynamodb_url,
            opensearch_url=opensearch_url,
            region=self.name,
            dead_letters=f"file:{Path(self.directory) / 'dead-letters.jsonl'}",
            worker_lease_seconds=_LEASE_SECONDS,
            max_ready_lag_seconds=_READY_LAG_SECONDS,
        )


def run(options: RegionOptions) -> None:
    """Run until the parent is gone. Raises DynadexError when a part of it fails."""
    from dynadex.http.auth import TokenAuth

    auth = TokenAuth(bytes.fromhex(options.secret))
    folder = Path(options.directory) / "search"
    with ExitStack() as parts:
        sock = parts.enter_context(listening(0))
        stack = parts.enter_context(
            LocalStack(folder, dynamodb_url=options.dynamodb_url, opensearch_url=options.opensearch_url)
        )
        settings = options.settings(stack.endpoints.opensearch)
        service = parts.enter_context(running(load_sync(options.sync), settings, sock, auth, options.name))
        print(json.dumps({"url": url_of(sock)}), flush=True)
        # A lost index is made anew without being asked: nobody searches it before that is done.
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
