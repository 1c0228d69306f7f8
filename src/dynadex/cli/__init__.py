"""The command `dynadex`: one file per command; a command calls, it never decides."""

from __future__ import annotations

import errno
import sys
from typing import Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError

from dynadex import __version__
from dynadex.cli import check, config, demo, deploy, indexes, init, local, rebuild, redrive, refill, run, status, verify
from dynadex.cli.output import log_to_terminal
from dynadex.errors import DynadexError

_EPILOG = """Exit codes: 0 when all is well; 1 when something failed, was stopped before its end, or is not as it should
be (verify, check, status, redrive); 2 for a wrong command line; 3 from `local status` when nothing runs; 130 or 143
where Ctrl-C or SIGTERM ended it at once: the second of them, or the first of a command that is done in a moment.

What a command found goes to standard output, what it says about its work to standard error. Colours and progress bars
are for terminals alone, and NO_COLOR switches colours off. `dynadex config` shows the settings and where they are from.
"""

_CANNOT_WRITE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_START, _FOLLOW, _LOOK = "Start", "Keep an index in step", "See whether it is"
_MEND, _SET_UP = "Put single keys right", "Settings, machines"

app = typer.Typer(
    help="dynadex keeps OpenSearch indexes in step with DynamoDB tables.\n\n"
    "Start with `dynadex demo`, or with a table of your own: `dynadex init`.",
    epilog=_EPILOG,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(rich_help_panel=_START)(demo.demo)
app.command(rich_help_panel=_START)(init.init)
app.command(rich_help_panel=_START)(check.check)
app.command(rich_help_panel=_FOLLOW)(run.run)
app.command(rich_help_panel=_LOOK)(status.status)
app.command(rich_help_panel=_FOLLOW)(refill.refill)
app.command(rich_help_panel=_FOLLOW)(rebuild.rebuild)
app.command(rich_help_panel=_FOLLOW)(rebuild.rollback)
app.command(rich_help_panel=_LOOK)(indexes.indexes)
app.command(rich_help_panel=_FOLLOW)(indexes.retire)
app.command(rich_help_panel=_LOOK)(verify.verify)
app.command(rich_help_panel=_MEND)(redrive.redrive)
app.command(rich_help_panel=_MEND)(redrive.resync)
app.command(rich_help_panel=_SET_UP)(deploy.deploy)
app.command(rich_help_panel=_SET_UP)(config.config)
app.add_typer(local.app, name="local", rich_help_panel=_SET_UP)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"dynadex {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[  # noqa: ARG001 - its callback handles it
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    log_to_terminal()


def main() -> None:
    """Run a command; an error becomes one readable line on standard error and exit code 1."""
    try:
        app()
    except DynadexError as error:
        _fail(str(error))
    except OSError as error:
        if error.errno not in _CANNOT_WRITE:
            raise
        _fail(f"Cannot write: {error.strerror}. Free the disk, or send the output elsewhere.")
    except (BotoCoreError, ClientError) as error:
        _fail(f"Cannot use AWS: {error} Check AWS_REGION, the credentials and the endpoint (`--dynamodb`).")


def _fail(message: str) -> None:
    print(f"dynadex: {message}", file=sys.stderr)
    sys.exit(1)
