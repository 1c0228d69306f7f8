"""Parts of the documents that are not run unchanged, with the reason. An entry without a document fails a test."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tests.docs.surroundings import Surroundings

# By document and literal command. The real command still parses its words.
NOT_RUN: Final = {
    ("docs/how-to/regions.md", "dynadex demo --regions us-east-1,eu-west-1"): (
        "takes a fixed port and all songs; tests/browser starts it with a free port and fewer"
    ),
    ("docs/how-to/regions.md", "curl -i -H 'X-Location: europe' 'http://127.0.0.1:8080/api/search?q=mallow'"): (
        "calls the demo of several regions, as tests/browser and tests/regions do"
    ),
    ("docs/how-to/regions.md", "curl http://127.0.0.1:8080/regions"): "the same",
    (
        "docs/how-to/regions.md",
        "AWS_REGION=us-east-1 dynadex verify lessons:sync --across-regions "
        "us-east-1=https://search-one.example.org,eu-west-1=https://search-two.example.org",
    ): "needs replicas of a table; tests/process/test_replicas.py has them",
    ("docs/how-to/deploy.md", "cd infra"): "a folder of the repository",
    ("docs/how-to/deploy.md", "cd .."): "a folder of the repository",
}

# Variables that are not settings of a process.
OTHER_VARIABLES: Final = {"DYNADEX_CACHE_DIR", "DYNADEX_CHROMIUM"}

# By document and first line: Python that another test runs.
RUN_ELSEWHERE: Final = {
    ("docs/how-to/deploy.md", "from aws_cdk import App, Environment, Stack"): "tests/infra/test_synthesis.py",
    ("docs/how-to/local.md", "from pathlib import Path"): "tests/contract/test_opensearch_node.py",
}

# Documents whose blocks a separate test runs.
OWN_TEST: Final = {"docs/quickstart.md": "tests/docs/test_quickstart.py"}

# Expected exit codes other than 0.
EXIT_CODES: Final = {
    ("docs/how-to/start.md", "dynadex check orders:sync"): 1,
}

# Options that the text names and that are not options of `dynadex`.
FOREIGN_OPTIONS: Final = {
    "--forwarded-allow-ips": "uvicorn",
    "--requirements": "scripts/package.py, through `make package`",
    "--opensearch-url": "the pytest plugin",
    "--opensearch-version": "the pytest plugin",
    "--generate-hashes": "uv",
    "--proxy-headers": "uvicorn",
}

# Prerequisites of a document before its first block, or before the named command.
BEFORE: Final[dict[tuple[str, str], Callable[[Surroundings], None]]] = {
    ("docs/how-to/deploy.md", ""): lambda here: here.fill("lessons"),
    ("docs/how-to/http.md", ""): lambda here: here.fill("lessons"),
    ("docs/how-to/rebuild.md", ""): lambda here: here.fill("songs"),
    ("docs/how-to/redrive.md", ""): lambda here: here.fill("songs"),
    ("docs/how-to/verify.md", ""): lambda here: here.fill("songs"),
    (
        "docs/how-to/recover.md",
        "dynadex: Cannot continue reading arn:...: the index is stale: ... "
        "Run `dynadex refill`, which brings the index up to date.",
    ): lambda here: here.declare_stale("lessons"),
    ("docs/how-to/recover.md", "dynadex rollback lessons:sync"): lambda here: here.fill_another("lessons"),
    ("docs/how-to/start.md", "dynadex check orders:sync"): (
        lambda here: here.edit("orders.py", "price", '{"type": "double"}')
    ),
    ("docs/how-to/start.md", "dynadex run orders:sync"): (
        lambda here: here.edit("orders.py", "price", '{"type": "keyword"}')
    ),
}
