"""The backends of a local stack as Programs: where each is installed, how it is configured, and how it is isolated."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec

from dynadex.errors import LocalStackError
from dynadex.local.child import Program
from dynadex.local.engine import Engine
from dynadex.local.opensearch_program import NodeConfig, node_program
from dynadex.local.probe import LOOPBACK
from dynadex.local.state import CREDENTIAL, DYNAMODB, REGION, StackFolder
from dynadex.opensearch.install import install

MEMORY = "osmem-server"

_INSTALL = "Install it: pip install 'dynadex[local]'"

# By default, ministack listens for MQTT and SFTP, serves TLS, requires credentials and keeps state in /tmp.
_MINISTACK_ISOLATION = {
    "AUTH": "false",
    "IOT_MTLS_ENABLED": "0",
    "LOCALSTACK_PERSISTENCE": "0",
    "PERSIST_STATE": "0",
    "S3_PERSIST": "0",
    "SERVICES": "",
    "SFTP_ENABLED": "0",
    "USE_SSL": "0",
}


def dynamodb(folder: StackFolder, port: int | None) -> Program:
    """Return the program for ministack; raise LocalStackError if it is not installed."""
    if find_spec("ministack") is None:
        raise _not_installed(DYNAMODB, "--dynamodb URL")
    # -P keeps a file ministack.py in the current folder from being imported instead.
    arguments = ("-P", "-m", "dynadex.local.ministack_child", str(port or 0), str(os.getpid()))
    return Program(
        name=DYNAMODB,
        command=(sys.executable, *arguments),
        environment=_ministack_environment(folder),
        health_path="/_ministack/health",
        log=folder.log("ministack"),
    )


def search_engine(engine: Engine, folder: StackFolder, port: int | None) -> Program:
    """Return the program for a search engine; raise LocalStackError if it cannot be installed."""
    return _memory(folder, port) if engine is Engine.MEMORY else _opensearch(folder, port)


def _opensearch(folder: StackFolder, port: int | None) -> Program:
    """Its data is below the temporary folder, which is removed when the stack stops: the table's data is lost, too."""
    config = NodeConfig(folder.temporary / "opensearch", port or 0)
    return node_program(install(), config, folder.log("opensearch"))


def _memory(folder: StackFolder, port: int | None) -> Program:
    if find_spec("osmem_server") is None:
        raise _not_installed(MEMORY, "--opensearch URL")
    from osmem_server import OsmemError, resolve_binary  # type: ignore[import-untyped]

    try:
        binary = resolve_binary()
    except OsmemError as error:
        raise LocalStackError(
            "start", MEMORY, str(error), "Use a running OpenSearch instead: --opensearch URL."
        ) from error
    return Program(
        name=MEMORY,
        command=(binary, "-addr", f"{LOOPBACK}:{port or 0}", "-parent-pid", str(os.getpid())),
        environment=os.environ.copy(),
        health_path="/",
        log=folder.log("opensearch"),
    )


def _ministack_environment(folder: StackFolder) -> dict[str, str]:
    # Lambda workers inherit this environment. With the caller's AWS_* variables they could reach a real account, or
    # an earlier stack through an exported AWS_ENDPOINT_URL.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    temporary = folder.temporary / "ministack"
    temporary.mkdir(parents=True, exist_ok=True)
    return (
        inherited
        | _MINISTACK_ISOLATION
        | {
            "AWS_ACCESS_KEY_ID": CREDENTIAL,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_SECRET_ACCESS_KEY": CREDENTIAL,
            # ministack removes Docker containers that it takes for its own.
            "DOCKER_HOST": f"unix://{temporary / 'no-docker'}",
            "MINISTACK_REGION": REGION,
            "S3_DATA_DIR": str(temporary / "s3"),
            "STATE_DIR": str(temporary / "state"),
            "TMPDIR": str(temporary),
        }
    )


def _not_installed(name: str, alternative: str) -> LocalStackError:
    hint = f"{_INSTALL}. Or use a running one: {alternative}."
    return LocalStackError("start", name, "it is not installed", hint)
