"""`dynadex indexes` and `dynadex retire`: what there is, and away with it."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from dynadex.cli.options import OpenSearchUrl, SyncReference
from dynadex.cli.output import say
from dynadex.errors import DynadexError
from dynadex.settings import RuntimeSettings
from dynadex.sync import load_sync


def indexes(
    sync: SyncReference,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object per index.")] = False,
    opensearch: OpenSearchUrl = None,
) -> None:
    """List the indexes behind one name: what each is for, how large it is, and since when it exists.

    Example:

        dynadex indexes lessons:sync
    """
    from dynadex.index.lifecycle import physical_indexes
    from dynadex.runtime import search_cluster

    index = load_sync(sync).index
    cluster = search_cluster(RuntimeSettings.from_environment(opensearch_url=opensearch))
    rows = []
    for one in physical_indexes(cluster, index):
        found = cluster.stats(one.name)
        rows.append((one, found))
        if as_json:
            row = {"index": one.name, "role": one.role, "searched": one.searched, "written": one.written}
            row |= {"building": one.building, "documents": found.documents, "bytes": found.bytes}
            print(json.dumps(row | {"created_at": one.created_at.isoformat(timespec="seconds")}))
    if not rows:
        say(f"there is no index {index}: create it with `dynadex refill {sync}`")
    if as_json:
        return
    for one, found in rows:
        size = "" if found.bytes is None else f"{found.bytes / 1e6:,.1f} MB"
        counts = f"{found.documents:>10,} documents  {size:>10}"
        print(f"{one.name}  {one.role:<17}  {counts}  since {one.created_at:%Y-%m-%d %H:%M} UTC")


def retire(
    sync: SyncReference,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[INDEX...]", help="Default: every one kept for rollback.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    opensearch: OpenSearchUrl = None,
) -> None:
    """Delete indexes that searches no longer use: those kept for rollback, or a rebuild that was given up.

    Asks first. Examples:

        dynadex retire lessons:sync

        dynadex retire lessons:sync lessons-20261124054500 --yes
    """
    from dynadex.index.lifecycle import retirable
    from dynadex.index.lifecycle import retire as retire_one
    from dynadex.runtime import search_cluster

    index = load_sync(sync).index
    cluster = search_cluster(RuntimeSettings.from_environment(opensearch_url=opensearch))
    chosen = retirable(cluster, index, names or [])
    if not chosen:
        say("nothing to retire")
        return
    if not yes:
        if not sys.stdin.isatty():
            raise DynadexError("retire", ", ".join(chosen), "nobody is there to be asked", "Say so with --yes.")
        typer.confirm(f"Delete {', '.join(chosen)} for good?", abort=True, err=True)
    for name in chosen:
        retire_one(cluster, index, name)
        say(f"{name} is deleted")
