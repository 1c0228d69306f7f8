"""`dynadex deploy`: a thin call of the CDK CLI, which does the work."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from dynadex.cli.options import SyncReference
from dynadex.cli.output import say
from dynadex.errors import DynadexError
from dynadex.sync import load_sync

# Version 3 of the CLI reads another schema of cloud assemblies than version 2 of the library writes.
_CDK = "aws-cdk@2"
_ALL = "--all"
# By its form: AWS opens regions that no list here would have.
_REGION = re.compile(r"[a-z]{2,3}(-[a-z]+)+-\d+")
# Where `make synth` installs CDK, beside the app's folder; elsewhere cdk.json says what runs the app.
_ENVIRONMENT = Path(".venv-infra/bin/python")


def deploy(
    sync: SyncReference,
    cdk: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="CDK_ARGUMENT",
            help="After `--`: more for the CDK CLI. Begin with names of stacks to choose those instead of all.",
        ),
    ] = None,
    app: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the CDK app, with its cdk.json.")] = Path("infra"),
    region: Annotated[
        list[str] | None, typer.Option(metavar="REGION", help="A region to run in; more of them for several.")
    ] = None,
    existing_table: Annotated[
        bool, typer.Option("--existing-table", help="The table is there already: it is followed, not made.")
    ] = False,
    destroy: Annotated[bool, typer.Option("--destroy", help="Remove what was deployed, instead.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be run.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Put the whole system on AWS with the CDK app in `infra`, by the CDK CLI; says what it runs before it does.

    Build the functions' code first with `make package`. Needs Node.js, credentials, and an account that is prepared
    (`npx aws-cdk@2 bootstrap`): see docs/how-to/deploy.md. The CDK CLI asks before it gives rights. Examples:

        dynadex deploy songs:sync --dry-run

        dynadex deploy songs:sync --region us-east-1 --region eu-west-1

        dynadex deploy songs:sync -- --concurrency 2
    """
    declared = load_sync(sync)
    for one in region or []:
        if not _REGION.fullmatch(one):
            raise DynadexError("deploy to", one, "that is no name of a region", "For example: --region eu-west-1.")
    command = cdk_command(sync, region or [], app, existing_table=existing_table, destroy=destroy, yes=yes)
    command = with_arguments(command, cdk or [])
    who = os.environ.get("AWS_PROFILE")
    say(f"table {declared.table}, index {declared.index}; {f'profile {who}' if who else 'the default credentials'}")
    say(f"in {app.absolute()}: {shlex.join(command)}")
    if dry_run:
        return
    _check(app)
    if not yes:
        if not sys.stdin.isatty():
            raise DynadexError("deploy", sync, "nobody is there to be asked", "Say so with --yes.")
        typer.confirm("Run it?", abort=True, err=True)
    raise typer.Exit(subprocess.run(command, cwd=app, check=False).returncode)


def cdk_command(
    sync: str, regions: list[str], app: Path, *, existing_table: bool, destroy: bool, yes: bool
) -> list[str]:
    """The command line of the CDK CLI. The app gets the Sync and the regions as its context."""
    command = ["npx", "--yes", _CDK, "destroy" if destroy else "deploy", _ALL, "-c", f"sync={sync}"]
    python = app.absolute().parent / _ENVIRONMENT
    if python.exists():
        command += ["--app", f"{shlex.quote(str(python))} app.py"]
    if regions:
        command += ["-c", f"regions={','.join(regions)}"]
    if existing_table:
        command += ["-c", "existing_table=yes"]
    if yes:
        command += ["--force"] if destroy else ["--require-approval", "never"]
    return command


def with_arguments(command: list[str], arguments: list[str]) -> list[str]:
    """The command line with arguments of the user's; stacks that they name are chosen instead of all."""
    if arguments and not arguments[0].startswith("-"):
        command = [part for part in command if part != _ALL]
    return [*command, *arguments]


def _check(app: Path) -> None:
    """Raise DynadexError, saying what to install, unless the CDK CLI can run here."""
    if not (app / "cdk.json").is_file():
        hint = "Run it in a clone of dynadex, or name the folder of your own CDK app with --app."
        raise DynadexError("deploy", str(app.absolute()), "there is no cdk.json", hint)
    if shutil.which("npx") is None:
        raise DynadexError("run", "the CDK CLI", "npx is not installed", "Install Node.js, which brings it.")
