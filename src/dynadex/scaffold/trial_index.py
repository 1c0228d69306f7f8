"""Try documents on the search cluster, in a temporary index."""

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

_MAX_SECONDS = 60.0


def index_on_trial(
    sync: Sync, settings: RuntimeSettings, bodies: Mapping[str, bytes], clock: Clock | None = None
) -> dict[str, str]:
    """Index documents in a temporary index; return the cluster's reasons for those that it rejects, by document id.

    Raises:
        SearchError: The cluster rejects the index itself.
        SearchUnavailable: The cluster does not accept all documents within a minute.
    """
    clock = clock or SystemClock()
    cluster = search_cluster(settings)
    name = f"{physical_name(sync.index, clock)}-check"
    body = creation_body(sync.index, sync.mappings, {**sync.settings, "number_of_replicas": 0})
    cluster.create(name, {**body, "aliases": {}})
    try:
        limits = WriterLimits(settings.max_bulk_bytes, settings.opensearch_timeout_seconds)
        writer = Writer(cluster, clock, limits)
        writes = [Write(identity, body, External(1)) for identity, body in bodies.items()]
        replies = writer.write(name, writes, clock.monotonic() + _MAX_SECONDS)
    finally:
        cluster.delete(name)
    # A conflict is a repeated request that succeeded before: this index has no other writer.
    rejected = {
        identity: reply.reason
        for identity, reply in zip(bodies, replies, strict=True)
        if reply.outcome is Outcome.REJECTED
    }
    if unsent := sum(reply.outcome is Outcome.RETRY for reply in replies):
        raise SearchUnavailable(
            "try documents in index", name, f"the cluster did not accept {unsent:,} of them within a minute",
            "Try a smaller --sample.",
        )  # fmt: skip
    return rejected
