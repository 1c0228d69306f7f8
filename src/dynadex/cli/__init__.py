"""The command `dynadex`: one module per command. A command parses options and prints; other rooms do the work."""

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

_EPILOG = """Exit codes: 0 for success; 1 if the command failed, was stopped before its end, or found a problem (verify,
check, status, redrive); 2 for an invalid command line; 3 from `local status` if nothing is running; 130 or 143 if
Ctrl-C or SIGTERM ended the command without cleanup: the second signal, or the first one to a short command.

Results go to standard output, progress and log lines to standard error. Color and progress bars appear only on a
terminal; set NO_COLOR to disable color. `dynadex config` shows every setting and its source.
"""

_CANNOT_WRITE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_START, _FOLLOW, _INSPECT = "Start", "Keep an index in step", "Inspect and verify"
_REPAIR, _SET_UP = "Repair single keys", "Configure and deploy"

app = typer.Typer(
    help="dynadex keeps OpenSearch indexes in step with DynamoDB tables.\n\n"
    "Start with `dynadex demo`, or with your own table: `dynadex init`.",
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
app.command(rich_help_panel=_INSPECT)(status.status)
app.command(rich_help_panel=_FOLLOW)(refill.refill)
app.command(rich_help_panel=_FOLLOW)(rebuild.rebuild)
app.command(rich_help_panel=_FOLLOW)(rebuild.rollback)
app.command(rich_help_panel=_INSPECT)(indexes.indexes)
app.command(rich_help_panel=_FOLLOW)(indexes.retire)
app.command(rich_help_panel=_INSPECT)(verify.verify)
app.command(rich_help_panel=_REPAIR)(redrive.redrive)
app.command(rich_help_panel=_REPAIR)(redrive.resync)
app.command(rich_help_panel=_SET_UP)(deploy.deploy)
app.command(rich_help_panel=_SET_UP)(config.config)
app.add_typer(local.app, name="local", rich_help_panel=_SET_UP)


def _show_version(is_set: bool) -> None:
    if is_set:
        typer.echo(f"dynadex {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[  # noqa: ARG001 - its callback handles it
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    log_to_terminal()


def main() -> None:
    """Run a command; print an error as one line on standard error and exit with code 1."""
    try:
        app()
    except DynadexError as error:
        _fail(str(error))
    except OSError as error:
        if error.errno not in _CANNOT_WRITE:
            raise
        _fail(f"Cannot write: {error.strerror}. Free disk space, or redirect the output.")
    except (BotoCoreError, ClientError) as error:
        _fail(f"Cannot use AWS: {error} Check AWS_REGION, the credentials and the endpoint (`--dynamodb`).")


def _fail(message: str) -> None:
    print(f"dynadex: {message}", file=sys.stderr)
    sys.exit(1)
