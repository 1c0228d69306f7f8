"""Documents tried on the real cluster, in an index of their own that is deleted again."""

from __future__ import annotations

from collections.abc import Mapping

from dynadex.clock import Clock, SystemClock
from dynadex.errors import SearchUnavailable
from dynadex.index.aliases import creation_body, physical_name
from dynadex.index.bulk import External, Outcome, Write
from dynadex.index.writer import Writer, WriterLimits
from dynadex.runtime import search_cluster
from dynadex.settings import RuntimeSettings
from dynadex.sync import Sync

_SECONDS = 60.0


def index_on_trial(
    sync: Sync, settings: RuntimeSettings, bodies: Mapping[str, bytes], clock: Clock | None = None
) -> dict[str, str]:
    """Why the cluster refuses documents, by id: those it takes are not named. Raises SearchError."""
    clock = clock or SystemClock()
    cluster = search_cluster(settings)
    name = f"{physical_name(sync.index, clock)}-check"
    body = creation_body(sync.index, sync.mappings, {**sync.settings, "number_of_replicas": 0})
    cluster.create(name, {**body, "aliases": {}})
    try:
        limits = WriterLimits(settings.max_bulk_bytes, settings.opensearch_timeout_seconds)
        writer = Writer(cluster, clock, limits)
        writes = [Write(identity, body, External(1)) for identity, body in bodies.items()]
        replies = writer.write(name, writes, clock.monotonic() + _SECONDS)
    finally:
        cluster.delete(name)
    # A conflict is a write that was sent twice: nobody else writes here.
    refused = {i: reply for i, reply in zip(bodies, replies, strict=True) if reply.outcome is Outcome.REJECTED}
    if unsent := sum(reply.outcome is Outcome.RETRY for reply in replies):
        raise SearchUnavailable(
            "try documents on", name, f"{unsent:,} were not taken in time", "Try a smaller --sample."
        )
    return {identity: reply.reason for identity, reply in refused.items()}
