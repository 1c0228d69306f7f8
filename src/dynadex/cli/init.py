"""`dynadex init`: a project from a table, in a folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dynadex import clients
from dynadex.cli.options import AsJson, DynamoDbUrl, OpenSearchUrl, Sample
from dynadex.cli.output import say
from dynadex.cli.stopping import stop_on_signals
from dynadex.declaration import table_name
from dynadex.settings import RuntimeSettings, variables, without_password

if TYPE_CHECKING:
    from dynadex.scaffold.render import Project

INTERRUPTED = 1
_MAX_CONFLICTS = 10


def init(
    table: Annotated[
        str | None, typer.Argument(metavar="TABLE", help="A table that is there. Default: an example of songs.")
    ] = None,
    directory: Annotated[Path, typer.Option("--dir", help="Folder to write into; made if it is not there.")] = Path(),
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Name of the module and the index. Default: the table's.")
    ] = None,
    sample: Sample = 1000,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there already.")] = False,
    as_json: AsJson = False,
    opensearch: OpenSearchUrl = None,
    dynamodb: DynamoDbUrl = None,
) -> None:
    """Start a project: a Sync with a mapping inferred from a table's items, tests, compose.yaml, a CDK app, a README.

    Reads a sample of the table, writes nothing but the files. Each field of the mapping says why it is so; attributes
    that contradict themselves are named. Values of items are not written down. No file is replaced without --force,
    and what is stopped half-way leaves nothing behind. Examples:

        dynadex init orders --dir orders-search

        dynadex init orders --dynamodb http://127.0.0.1:8000 --sample 5000

        dynadex init
    """
    from dynadex.scaffold.files import write
    from dynadex.scaffold.project import from_nothing, from_table, usable_stream
    from dynadex.scaffold.render import project_files
    from dynadex.scaffold.sample import take

    for given in (table, name):
        if given is not None:
            table_name(given)
    settings = RuntimeSettings.from_environment(opensearch_url=opensearch, dynamodb_url=dynamodb)
    urls = {"opensearch_url": opensearch, "dynamodb_url": dynamodb}
    kept = {setting: url for setting, url in urls.items() if url and url == without_password(url)}
    for setting in (one for one, url in urls.items() if url and one not in kept):
        say(f"the URL with its password is not written down: set {variables(setting)[0]} for the commands that follow")
    with stop_on_signals() as stop:
        if table is None:
            project = from_nothing(settings, kept, name)
        else:
            found = take(clients.dynamodb(settings), table, sample, stop.is_set)
            project = from_table(found, settings, kept, name)
            if not usable_stream(found):
                say(f"table {table} has no stream with new images: see the README for how to enable one")
        try:
            written = write(directory, project_files(project), force=force, stopped=stop.is_set)
        except KeyboardInterrupt:
            say("stopped; nothing is written")
            raise typer.Exit(INTERRUPTED) from None
    _tell(project, written, directory, as_json=as_json)


def _tell(project: Project, written: list[Path], directory: Path, *, as_json: bool) -> None:
    proposals = list(project.inferred.every())
    conflicts = [one for one in proposals if one.conflict]
    if as_json:
        fields = [
            {"name": one.name, "mapping": one.spec, "reason": one.reason, "conflict": one.conflict or None}
            for one in proposals
        ]
        print(
            json.dumps({"files": [str(path) for path in written], "sync": f"{project.module}:sync", "fields": fields})
        )
        return
    mapped = sum(1 for one in proposals if one.spec)
    say(f"from {project.source}: {mapped} fields mapped, {len(conflicts) or 'no'} conflicts")
    for one in conflicts[:_MAX_CONFLICTS]:
        example = f" (see item {one.example})" if one.example else ""
        say(f"  {one.name}: {one.conflict}{example}")
    if len(conflicts) > _MAX_CONFLICTS:
        say(f"  and {len(conflicts) - _MAX_CONFLICTS} more: see {project.module}.py")
    for path in written:
        print(path)
    where = "" if directory == Path() else f"cd {directory}, then "
    say(f"next: {where}read {project.module}.py and run `dynadex check {project.module}:sync`")
