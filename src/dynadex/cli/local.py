"""``dynadex local``: the backends on this machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from dynadex.cli.options import AsJson
from dynadex.local import report, supervisor
from dynadex.local.state import DEFAULT_DIRECTORY

NOT_RUNNING = 3

app = typer.Typer(
    no_args_is_help=True,
    help="""Run DynamoDB and OpenSearch on this machine: no Docker, no Java, no AWS account.

    Example:

        dynadex local up --detach
        dynadex local status
        dynadex local down
    """,
)

Directory = Annotated[Path, typer.Option("--dir", help="Where the stack keeps its state and logs.")]
DynamoDBUrl = Annotated[str | None, typer.Option("--dynamodb", metavar="URL", help="Use this DynamoDB, which runs.")]
OpenSearchUrl = Annotated[
    str | None, typer.Option("--opensearch", metavar="URL", help="Use this OpenSearch, which runs.")
]
DynamoDBPort = Annotated[
    int | None, typer.Option(metavar="N", help="Port for the DynamoDB started here.", show_default="a free one")
]
OpenSearchPort = Annotated[
    int | None, typer.Option(metavar="N", help="Port for the OpenSearch started here.", show_default="a free one")
]
Detach = Annotated[bool, typer.Option("--detach", "-d", help="Leave it running behind and return once it is ready.")]


@app.command()
def up(
    directory: Directory = DEFAULT_DIRECTORY,
    dynamodb: DynamoDBUrl = None,
    opensearch: OpenSearchUrl = None,
    dynamodb_port: DynamoDBPort = None,
    opensearch_port: OpenSearchPort = None,
    detach: Detach = False,
) -> None:
    """Start the backends, and stop them on Ctrl-C.

    Prints where they answer and the environment that points other programs
    at them. What they hold is in memory, gone once they stop. A backend that
    runs already is used, not started, when its URL is given.

    Examples:

        dynadex local up
        dynadex local up --detach --dynamodb-port 4566 --opensearch-port 9200
        dynadex local up --opensearch http://127.0.0.1:9200
    """
    options = supervisor.Options(str(directory), dynamodb, opensearch, dynamodb_port, opensearch_port)
    if detach:
        report.show(report.running(directory, supervisor.detach(options)) + f"\n\n{report.how_to_stop(directory)}")
        return
    supervisor.run(options, lambda stack: report.show(report.running(directory, stack) + "\n\nStop it with Ctrl-C."))
    report.show("local stack: stopped")


@app.command()
def down(directory: Directory = DEFAULT_DIRECTORY) -> None:
    """Stop the stack that runs in this directory and wait until it is gone.

    Example:

        dynadex local down
    """
    stopped = supervisor.stop(directory)
    report.show(f"local stack: stopped (was pid {stopped.pid})" if stopped else report.not_running(directory))


@app.command()
def status(directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """Say what runs, where, since when and where its logs are. Exit code 0 if it runs, 3 if not.

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
