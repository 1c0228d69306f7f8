"""`dynadex indexes` and `dynadex retire`: list the indexes of a Sync, and delete old ones."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from dynadex.cli.options import OpenSearchUrl, SyncReference, Yes, confirm
from dynadex.cli.output import say
from dynadex.settings import RuntimeSettings
from dynadex.sync import load_sync


def indexes(
    sync: SyncReference,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per index.")] = False,
    opensearch: OpenSearchUrl = None,
) -> None:
    """List the indexes of a Sync.

    Shows the role, number of documents, size and creation time of each index. Changes nothing. Example:

        dynadex indexes lessons:sync
    """
    from dynadex.index.lifecycle import physical_indexes
    from dynadex.runtime import search_cluster

    index = load_sync(sync).index
    cluster = search_cluster(RuntimeSettings.from_environment(opensearch_url=opensearch))
    rows = []
    for physical in physical_indexes(cluster, index):
        stats = cluster.stats(physical.name)
        rows.append((physical, stats))
        if as_json:
            row: dict[str, object] = {"index": physical.name, "role": physical.role}
            row |= {"searched": physical.searched, "written": physical.written, "building": physical.building}
            row |= {"documents": stats.documents, "bytes": stats.bytes}
            print(json.dumps(row | {"created_at": physical.created_at.isoformat(timespec="seconds")}))
    if not rows:
        say(f"index {index} does not exist: create it with `dynadex refill {sync}`")
    if as_json:
        return
    for physical, stats in rows:
        size = "" if stats.bytes is None else f"{stats.bytes / 1e6:,.1f} MB"
        counts = f"{stats.documents:>10,} documents  {size:>10}"
        print(f"{physical.name}  {physical.role:<17}  {counts}  since {physical.created_at:%Y-%m-%d %H:%M} UTC")


def retire(
    sync: SyncReference,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[INDEX...]", help="Names of indexes. Default: every index kept for rollback."),
    ] = None,
    yes: Yes = False,
    opensearch: OpenSearchUrl = None,
) -> None:
    """Delete indexes that searches no longer use.

    Deletes indexes that are kept for rollback, or the index of an abandoned rebuild. Prompts before it deletes. The
    index that searches use is never deleted. Examples:

        dynadex retire lessons:sync

        dynadex retire lessons:sync lessons-20261124054500 --yes
    """
    from dynadex.index.lifecycle import retirable
    from dynadex.index.lifecycle import retire as retire_index
    from dynadex.runtime import search_cluster

    index = load_sync(sync).index
    cluster = search_cluster(RuntimeSettings.from_environment(opensearch_url=opensearch))
    chosen = retirable(cluster, index, names or [])
    if not chosen:
        say("nothing to retire")
        return
    if not yes:
        confirm("retire", ", ".join(chosen), f"Permanently delete {', '.join(chosen)}?")
    for name in chosen:
        retire_index(cluster, index, name)
        say(f"deleted {name}")
