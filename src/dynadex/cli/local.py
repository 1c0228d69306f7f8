"""`dynadex local`: run the backends on this machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from dynadex.cli.options import AsJson, SearchEngine
from dynadex.local import report, supervisor
from dynadex.local.engine import Engine, available
from dynadex.local.state import DEFAULT_DIRECTORY
from dynadex.opensearch import release

NOT_RUNNING = 3

app = typer.Typer(
    no_args_is_help=True,
    help="""Run DynamoDB and OpenSearch locally.

    They need neither Docker nor Java nor an AWS account. OpenSearch is fetched
    from Maven Central at the first start, and kept for later ones.

    Example:

        dynadex local up --detach
        dynadex local status
        dynadex local down
    """,
)

Directory = Annotated[Path, typer.Option("--dir", help="Folder for the state and the logs of the stack.")]
DynamoDBUrl = Annotated[
    str | None, typer.Option("--dynamodb", metavar="URL", help="Use this running DynamoDB instead of starting one.")
]
OpenSearchUrl = Annotated[
    str | None, typer.Option("--opensearch", metavar="URL", help="Use this running OpenSearch instead of starting one.")
]
DynamoDBPort = Annotated[
    int | None, typer.Option(metavar="N", help="Port of the DynamoDB to start.", show_default="a free port")
]
OpenSearchPort = Annotated[
    int | None, typer.Option(metavar="N", help="Port of the OpenSearch to start.", show_default="a free port")
]
Detach = Annotated[
    bool, typer.Option("--detach", "-d", help="Run in the background and return when the stack is ready.")
]


@app.command()
def up(
    directory: Directory = DEFAULT_DIRECTORY,
    dynamodb: DynamoDBUrl = None,
    opensearch: OpenSearchUrl = None,
    dynamodb_port: DynamoDBPort = None,
    opensearch_port: OpenSearchPort = None,
    engine: SearchEngine = Engine.OPENSEARCH,
    detach: Detach = False,
) -> None:
    """Start the backends, and stop them on Ctrl-C.

    Prints their URLs and the environment variables for other programs.
    Their data is lost when they stop. If the URL of a running backend is
    given, it is used instead of starting one. The first start fetches
    OpenSearch, 55 MB.

    Examples:

        dynadex local up
        dynadex local up --detach --dynamodb-port 4566 --opensearch-port 9200
        dynadex local up --opensearch http://127.0.0.1:9200
    """
    # Here, so that a detached stack shows the progress, too.
    engine = engine if opensearch else available(engine)
    options = supervisor.Options(str(directory), dynamodb, opensearch, dynamodb_port, opensearch_port, engine)
    if detach:
        report.show(report.running(directory, supervisor.detach(options)) + f"\n\n{report.how_to_stop(directory)}")
        return
    supervisor.run(options, lambda stack: report.show(report.running(directory, stack) + "\n\nStop it with Ctrl-C."))
    report.show("local stack: stopped")


@app.command()
def fetch(
    version: Annotated[str, typer.Option(help="Version of OpenSearch: 2.19 or 3.")] = release.DEFAULT,
    plugin: Annotated[list[str], typer.Option(help="Plugin to fetch, too. Can be repeated.")] = [],  # noqa: B006
) -> None:
    """Fetch OpenSearch, so that later starts need no network.

    The files are checked and kept in the cache folder of the user, or in
    DYNADEX_CACHE_DIR. For an image of a container or a cache of a CI system.

    Examples:

        dynadex local fetch
        dynadex local fetch --version 3 --plugin opensearch-security
    """
    from dynadex.local.opensearch_program import prepare
    from dynadex.opensearch.install import install

    installation = install(version, plugin)
    if not plugin:
        prepare(installation)
    print(f"OpenSearch {installation.release.version} is in {installation.folder}")


@app.command()
def down(directory: Directory = DEFAULT_DIRECTORY) -> None:
    """Stop the stack of this folder and wait until it has ended.

    Example:

        dynadex local down
    """
    stopped = supervisor.stop(directory)
    report.show(f"local stack: stopped (was pid {stopped.pid})" if stopped else report.not_running(directory))


@app.command()
def status(directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """Show the backends of this folder with their URLs, start time and logs.

    Exit code 0 if they are running, 3 if not.

    Example:

        dynadex local status || dynadex local up --detach
    """
    stack = supervisor.find(directory)
    if as_json:
        print(json.dumps({"running": stack is not None, **(json.loads(stack.to_json()) if stack else {})}))
    else:
        report.show(report.running(directory, stack) if stack else report.not_running(directory))
    if stack is None:
        raise typer.Exit(NOT_RUNNING)
