"""`dynadex deploy`: build the command line of the CDK CLI and run it."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Annotated

import typer

from dynadex.cli.options import SyncReference, Yes, confirm
from dynadex.cli.output import say
from dynadex.errors import DynadexError
from dynadex.sync import load_sync

# Version 3 of the CLI does not read the cloud assemblies that version 2 of the library writes.
_CDK = "aws-cdk@2"
_ALL = "--all"
# Validates the form only, because AWS adds regions.
_REGION = re.compile(r"[a-z]{2,3}(-[a-z]+)+-\d+")
# `make synth` installs CDK here, next to the folder of the app. Without it, cdk.json defines how to run the app.
_ENVIRONMENT = Path(".venv-infra/bin/python")


def deploy(
    sync: SyncReference,
    cdk: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="CDK_ARGUMENT",
            help="After `--`: arguments for the CDK CLI. Stack names come first; by default, all stacks are deployed.",
        ),
    ] = None,
    app: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the CDK app, with its cdk.json.")] = Path("infra"),
    region: Annotated[
        list[str] | None,
        typer.Option(metavar="REGION", help="Region to deploy to. Repeat the option for several regions."),
    ] = None,
    existing_table: Annotated[
        bool, typer.Option("--existing-table", help="Follow an existing table instead of creating one.")
    ] = False,
    destroy: Annotated[bool, typer.Option("--destroy", help="Destroy the deployed stacks instead.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the command without running it.")] = False,
    yes: Yes = False,
) -> None:
    """Deploy the system to AWS with CDK.

    Runs the CDK app in `infra`. Prints the command of the CDK CLI and prompts before running it. Requires Node.js, AWS
    credentials, a bootstrapped account (`npx aws-cdk@2 bootstrap`), and the functions' code, built with `make package`:
    see docs/how-to/deploy.md. The CDK CLI prompts before it grants permissions. Safe to repeat: only changes are
    deployed. Examples:

        dynadex deploy songs:sync --dry-run

        dynadex deploy songs:sync --region us-east-1 --region eu-west-1

        dynadex deploy songs:sync -- --concurrency 2
    """
    declared = load_sync(sync)
    for name in region or []:
        if not _REGION.fullmatch(name):
            raise DynadexError("deploy to", name, "it is not a valid region name", "For example: --region eu-west-1.")
    command = cdk_command(sync, region or [], app, existing_table=existing_table, destroy=destroy, yes=yes)
    command = with_arguments(command, cdk or [])
    profile = os.environ.get("AWS_PROFILE")
    credentials = f"profile {profile}" if profile else "the default credentials"
    say(f"table {declared.table}, index {declared.index}; {credentials}")
    say(f"in {app.absolute()}: {shlex.join(command)}")
    if dry_run:
        return
    _check(app)
    if not yes:
        confirm("deploy", sync, "Run it?")
    raise typer.Exit(subprocess.run(command, cwd=app, env=_variables(), check=False).returncode)


def _variables() -> dict[str, str]:
    """Return the environment with the current folder on Python's path: the app imports the module of the Sync."""
    path = [str(Path.cwd()), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path)}


def cdk_command(
    sync: str, regions: list[str], app: Path, *, existing_table: bool, destroy: bool, yes: bool
) -> list[str]:
    """Return the command line of the CDK CLI, with the Sync and the regions as context of the app."""
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
    """Return the command line with the user's arguments; stacks that they name replace the default of all stacks."""
    if arguments and not arguments[0].startswith("-"):
        command = [part for part in command if part != _ALL]
    return [*command, *arguments]


def _check(app: Path) -> None:
    """Raise DynadexError unless the CDK CLI can run."""
    if not (app / "cdk.json").is_file():
        hint = "Run the command in a clone of dynadex, or pass the folder of your CDK app with --app."
        raise DynadexError("deploy", str(app.absolute()), "it does not contain a cdk.json", hint)
    if shutil.which("npx") is None:
        raise DynadexError("run", "the CDK CLI", "npx is not installed", "Install Node.js, which contains it.")
