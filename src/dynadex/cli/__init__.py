"""The command `dynadex`: one file per command; a command calls, it never decides."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError

from dynadex import __version__
from dynadex.cli import check, config, demo, deploy, indexes, init, local, rebuild, redrive, refill, run, status, verify
from dynadex.errors import DynadexError

_EPILOG = """Exit codes: 0 when all is well; 1 when something failed, was stopped before its end, or is not as it should
be (verify, check, status, redrive); 2 for a wrong command line; 3 from `local status` when nothing runs.

What a command found goes to standard output, what it says about its work to standard error. Colours and progress bars
are for terminals alone, and NO_COLOR switches colours off. `dynadex config` shows the settings and where they are from.
"""

app = typer.Typer(
    help="dynadex keeps OpenSearch indexes in step with DynamoDB tables.\n\n"
    "Start with `dynadex demo`, or with a table of your own: `dynadex init`.",
    epilog=_EPILOG,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(demo.demo)
app.command()(init.init)
app.command()(check.check)
app.command()(run.run)
app.command()(status.status)
app.command()(refill.refill)
app.command()(rebuild.rebuild)
app.command()(rebuild.rollback)
app.command()(indexes.indexes)
app.command()(indexes.retire)
app.command()(verify.verify)
app.command()(redrive.redrive)
app.command()(redrive.resync)
app.command()(deploy.deploy)
app.command()(config.config)
app.add_typer(local.app, name="local")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"dynadex {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run a command; an error becomes one readable line on standard error and exit code 1."""
    try:
        app()
    except DynadexError as error:
        _fail(str(error))
    except (BotoCoreError, ClientError) as error:
        _fail(f"cannot use AWS: {error} Check AWS_REGION, the credentials and the endpoint (`--dynamodb`).")


def _fail(message: str) -> None:
    print(f"dynadex: {message}", file=sys.stderr)
    sys.exit(1)
