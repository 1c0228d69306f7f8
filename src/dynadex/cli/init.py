"""`dynadex init`: generate a project from a table."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dynadex import clients
from dynadex.cli.options import AsJson, DynamoDbUrl, OpenSearchUrl, Sample
from dynadex.cli.output import say
from dynadex.cli.stopping import stop_on_signals
from dynadex.declaration import checked_table_name
from dynadex.settings import RuntimeSettings, variables, without_password

if TYPE_CHECKING:
    from dynadex.scaffold.render import Project

INTERRUPTED = 1
_MAX_CONFLICTS = 10


def init(
    table: Annotated[
        str | None, typer.Argument(metavar="TABLE", help="An existing table. Default: generate an example with songs.")
    ] = None,
    directory: Annotated[
        Path, typer.Option("--dir", help="Folder to write to. Created if it does not exist.")
    ] = Path(),
    name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Name of the module and the index. Default: the name of the table."),
    ] = None,
    sample: Sample = 1000,
    force: Annotated[bool, typer.Option("--force", help="Replace existing files.")] = False,
    as_json: AsJson = False,
    opensearch: OpenSearchUrl = None,
    dynamodb: DynamoDbUrl = None,
) -> None:
    """Generate a project from a table.

    The project contains a Sync with an inferred mapping, tests, compose.yaml, a CDK app and a README. Each field of the
    mapping has a comment with the reason for its type. Attributes with values of several types are reported. If dynadex
    was installed from a wheel, the project contains a copy of the wheel.

    Reads a sample of the table, and writes only the files of the project, without values of items. Existing files are
    not replaced unless --force is given. An interrupted command writes no files. Examples:

        dynadex init orders --dir orders-search

        dynadex init orders --dynamodb http://127.0.0.1:8000 --sample 5000

        dynadex init
    """
    from dynadex.scaffold.files import write
    from dynadex.scaffold.package_source import current_source
    from dynadex.scaffold.project import NO_USABLE_STREAM, from_nothing, from_table, has_usable_stream
    from dynadex.scaffold.render import project_files
    from dynadex.scaffold.sample import take

    for text in (table, name):
        if text is not None:
            checked_table_name(text)
    settings = RuntimeSettings.from_environment(opensearch_url=opensearch, dynamodb_url=dynamodb)
    urls = {"opensearch_url": opensearch, "dynamodb_url": dynamodb}
    without_passwords = {setting: url for setting, url in urls.items() if url and url == without_password(url)}
    for setting, url in urls.items():
        if url and setting not in without_passwords:
            variable = variables(setting)[0]
            say(f"a URL with a password is not written to the project: set {variable} for the commands that follow")
    with stop_on_signals() as stop:
        if table is None:
            project = from_nothing(settings, without_passwords, name)
        else:
            items = take(clients.dynamodb(settings), table, sample, stop.is_set)
            project = from_table(items, settings, without_passwords, name)
            if not has_usable_stream(items):
                say(f"table {table} {NO_USABLE_STREAM}: the README shows how to enable one")
        project = replace(project, package_source=current_source())
        files: dict[str, str | bytes] = {**project_files(project), **project.package_source.files(directory)}
        try:
            written = write(directory, files, force=force, stopped=stop.is_set)
        except KeyboardInterrupt:
            say("stopped: no files written")
            raise typer.Exit(INTERRUPTED) from None
    _report(project, written, directory, as_json=as_json)


def _report(project: Project, written: list[Path], directory: Path, *, as_json: bool) -> None:
    proposals = list(project.inferred.every())
    conflicts = [proposal for proposal in proposals if proposal.conflict]
    if as_json:
        fields = [
            {
                "name": proposal.name,
                "mapping": proposal.spec,
                "reason": proposal.reason,
                "conflict": proposal.conflict or None,
            }
            for proposal in proposals
        ]
        print(
            json.dumps({"files": [str(path) for path in written], "sync": f"{project.module}:sync", "fields": fields})
        )
        return
    mapped = sum(1 for proposal in proposals if proposal.spec)
    say(f"from {project.source}: {mapped} fields mapped, {len(conflicts) or 'no'} conflicts")
    for proposal in conflicts[:_MAX_CONFLICTS]:
        example = f" (see item {proposal.example})" if proposal.example else ""
        say(f"  {proposal.name}: {proposal.conflict}{example}")
    if len(conflicts) > _MAX_CONFLICTS:
        say(f"  and {len(conflicts) - _MAX_CONFLICTS} more: see {project.module}.py")
    for path in written:
        print(path)
    if build := project.package_source.missing_wheel(directory):
        say(f"requirements.txt names the wheel of dynadex, which is not in the folder yet: {build}")
    change_folder = "" if directory == Path() else f"cd {directory}, then "
    say(f"next: {change_folder}read {project.module}.py and run `dynadex check {project.module}:sync`")
