"""The one adapter to a search cluster: opensearch-py calls in, our values and errors out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from traceback import clear_frames
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import orjson

from dynadex.errors import RequestTooLarge, SearchError, SearchUnavailable
from dynadex.index.bulk import reason_of

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

Json = Any
_NOT_FOUND, _TOO_LARGE, _TOO_MANY, _SERVER_ERROR = 404, 413, 429, 500
# A listing is kept alive while one page of it is worked on.
_PAGE, _SCROLL_KEPT = 1000, "5m"
_STATUS_OF = {"index_not_found_exception": 404, "security_exception": 403}
_HINTS = {
    400: "The request is not the data's fault: check the index settings and the version of the cluster.",
    401: "Check the credentials for the search cluster.",
    403: "Give this role or user the right to do it.",
    404: "Create the index with `dynadex refill`.",
}


@dataclass(frozen=True, slots=True)
class Stored:
    """A document as the index holds it now, deleted ones excepted."""

    version: int
    seq_no: int
    primary_term: int
    source: Json


@dataclass(frozen=True, slots=True)
class IndexStats:
    """How large an index is: documents that a search can see now, and bytes of one copy of it on disk, without
    replicas; None where the cluster does not tell."""

    documents: int
    bytes: int | None


class OpenSearchIndex:
    """Everything dynadex asks of a search cluster. Each call raises SearchError or one of its kinds."""

    def __init__(self, client: OpenSearch) -> None:
        self._client = client

    def bulk(self, index: str, body: bytes, timeout_seconds: float) -> Sequence[Mapping[str, Any]]:
        """One bulk request; the reply's items in order (only status and error of each)."""
        reply = self._call(
            "write to index", index, "POST", f"/{quote(_write_alias(index))}/_bulk", body, timeout_seconds,
            params={"filter_path": "items.*.status,items.*.error", "require_alias": "true"},
        )  # fmt: skip
        items: Sequence[Mapping[str, Any]] = reply.get("items", ())
        return items

    def get_many(self, index: str, ids: Sequence[str]) -> list[Stored | None]:
        """The documents with these ids as they are now (realtime), None for each that is not there."""
        if not ids:
            return []
        reply = self._call("read from index", index, "POST", f"/{quote(index)}/_mget", orjson.dumps({"ids": list(ids)}))
        return [self._stored(index, one) for one in reply["docs"]]

    def versions(self, index: str) -> Iterator[list[tuple[str, int]]]:
        """Id and version of every document that was there, refreshed, when asked; in no order, a page at a time."""
        path, first = f"/{quote(index)}/_search", {"size": _PAGE, "sort": ["_doc"], "version": True, "_source": False}
        reply = self._call("list index", index, "POST", path, orjson.dumps(first), params={"scroll": _SCROLL_KEPT})
        try:
            while hits := _whole(reply, index)["hits"]["hits"]:
                yield [(hit["_id"], hit["_version"]) for hit in hits]
                more = orjson.dumps({"scroll": _SCROLL_KEPT, "scroll_id": reply["_scroll_id"]})
                reply = self._call("list index", index, "POST", "/_search/scroll", more)
        finally:
            self._call(
                "end the listing of",
                index,
                "DELETE",
                "/_search/scroll",
                orjson.dumps({"scroll_id": reply["_scroll_id"]}),
            )

    def search(
        self,
        index: str,
        body: Mapping[str, Any],
        timeout_seconds: float | None = None,
        preference: str | None = None,
    ) -> Json:
        """A search, as OpenSearch answers it. Searches with one ``preference`` ask the same copies of the shards."""
        params = {"preference": preference} if preference else None
        return self._call(
            "search index", index, "POST", f"/{quote(index)}/_search", orjson.dumps(body), timeout_seconds, params
        )

    def count(self, index: str) -> int:
        """Documents that a search can see now."""
        return int(self._call("count index", index, "GET", f"/{quote(index)}/_count")["count"])

    def stats(self, index: str) -> IndexStats:
        """How large an index is."""
        # The statistics' own count of documents counts nested objects, too.
        documents = self.count(index)
        try:
            reply = self._call("measure index", index, "GET", f"/{quote(index)}/_stats/store")
            size: int | None = int(reply["indices"][index]["primaries"]["store"]["size_in_bytes"])
        except SearchUnavailable:
            raise
        except (SearchError, LookupError, TypeError):
            # A serverless collection has no statistics, and a role may lack the right to see them.
            size = None
        return IndexStats(documents, size)

    def refresh(self, index: str) -> None:
        """Make everything written so far visible to searches."""
        self._call("refresh index", index, "POST", f"/{quote(index)}/_refresh")

    def create(self, index: str, body: Mapping[str, Any]) -> None:
        """Create an index from settings, mappings and aliases."""
        aliases = {**body.get("aliases", {}), _write_alias(index): {}}
        self._call("create index", index, "PUT", f"/{quote(index)}", orjson.dumps({**body, "aliases": aliases}))

    def delete(self, index: str) -> None:
        """Delete an index with all it holds."""
        self._call("delete index", index, "DELETE", f"/{quote(index)}")

    def exists(self, index: str) -> bool:
        """Whether an index or alias has this name."""
        return self._get_or_none("look for index", index, f"/{quote(index)}") is not None

    def indexes_behind(self, alias: str) -> list[str]:
        """The physical indexes behind an alias, oldest name first; none when there is no such alias."""
        found = self._get_or_none("resolve alias", alias, f"/_alias/{quote(alias)}")
        return sorted(found or ())

    def update_aliases(self, actions: Sequence[Mapping[str, Any]]) -> None:
        """Change aliases, all at once or not at all."""
        names = ", ".join(sorted({str(part.get("alias")) for one in actions for part in one.values()}))
        self._call("change alias", names, "POST", "/_aliases", orjson.dumps({"actions": list(actions)}))

    def describe(self, index: str) -> Json:
        """Settings, mappings and aliases of one physical index."""
        return self._call("describe index", index, "GET", f"/{quote(index)}")[index]

    def put_settings(self, index: str, settings: Mapping[str, Any]) -> None:
        """Change dynamic settings of an index."""
        self._call("change settings of", index, "PUT", f"/{quote(index)}/_settings", orjson.dumps(settings))

    def processors(self, index: str) -> int | None:
        """Processors of all nodes that hold documents, None where the cluster does not tell.

        ``index`` is what they are wanted for: a cluster that does not answer is told with it.
        """
        params = {"filter_path": "nodes.*.roles,nodes.*.os.allocated_processors"}
        try:
            reply = self._call("look up the nodes for", index, "GET", "/_nodes/os", params=params)
            holders = [node for node in reply["nodes"].values() if "data" in node["roles"]]
            return sum(int(node["os"]["allocated_processors"]) for node in holders) or None
        except SearchUnavailable:
            raise
        except (SearchError, LookupError, TypeError, AttributeError):
            # A serverless collection has no nodes, and a role may lack the right to see them.
            return None

    def info(self) -> Json:
        """Name and version of the cluster."""
        return self._call("reach", "the search cluster", "GET", "/")

    def _stored(self, index: str, one: Mapping[str, Any]) -> Stored | None:
        if "error" in one:
            raise _of_one_document(index, one["error"])
        if not one.get("found"):
            return None
        return Stored(one["_version"], one["_seq_no"], one["_primary_term"], one["_source"])

    def _get_or_none(self, operation: str, subject: str, path: str) -> Json:
        try:
            return self._call(operation, subject, "GET", path)
        except SearchError as error:
            if error.not_found:
                return None
            raise

    def _call(
        self,
        operation: str,
        subject: str,
        method: str,
        path: str,
        body: bytes | None = None,
        timeout_seconds: float | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> Json:
        from opensearchpy import exceptions

        arguments: dict[str, Any] = dict(params or {})
        if timeout_seconds is not None:
            arguments["request_timeout"] = timeout_seconds
        try:
            return self._client.transport.perform_request(method, path, params=arguments, body=body)
        except exceptions.OpenSearchException as error:
            _let_go_of_request(error)
            raise translate(error, operation, subject) from error


def _let_go_of_request(error: BaseException) -> None:
    """Clear the frames of the error's traceback, so that the body of a failed request is freed at once.

    urllib3 keeps an error in a local variable of a frame in the traceback of the same error: a reference cycle, which
    holds the whole request until the garbage collector runs. With `dynadex.gc_tuning`, it runs rarely: 300 refused
    connections for bulk requests of 5 MB take up to 1,477 MB of memory without this function, and 49 MB with it (with
    Python's default thresholds 173 and 49 MB).
    """
    cause: BaseException | None = error
    while cause:
        clear_frames(cause.__traceback__)
        cause = cause.__context__


def _of_one_document(index: str, error: Mapping[str, Any]) -> SearchError:
    """Why one document could not be read: its index is gone, or we may not read it; else its shard is away for now."""
    status = _STATUS_OF.get(str(error.get("type")))
    if status is None:
        return SearchUnavailable(
            "read from index", index, reason_of(error), "It may pass; otherwise look at the cluster."
        )
    return SearchError("read from index", index, reason_of(error), _HINTS[status], status=status)


def _whole(reply: Json, index: str) -> Json:
    """The answer of a search, if every shard had a part in it: one that is away is counted neither as a success nor,
    always, as a failure."""
    shards = reply.get("_shards", {})
    if shards.get("failed") or shards.get("successful", 0) < shards.get("total", 0):
        reason = f"{shards.get('successful')} of {shards.get('total')} shards answered"
        raise SearchUnavailable("list index", index, reason, "It may pass; otherwise look at the cluster.")
    return reply


def _write_alias(index: str) -> str:
    """The private alias through which a physical index is written.

    A write to an index that is gone would create it anew, without its mapping, and be acknowledged; a write that
    requires an alias is refused. Deletes do not heed that requirement: what refuses them is that no index, unlike
    an alias, can have a name in capitals.
    """
    return f"{index}-WRITE"


def translate(error: Exception, operation: str, subject: str) -> SearchError:
    """A foreign error as one of ours: unavailable (retry), too large (halve), or refused (stop, with a hint)."""
    from opensearchpy import exceptions

    if isinstance(error, exceptions.SSLError):
        return SearchError(operation, subject, str(error.error), "Check the cluster's certificate and the URL.")
    if isinstance(error, exceptions.ConnectionError):
        return SearchUnavailable(
            operation, subject, f"the search cluster does not answer ({error.error})",
            "Start it, or set OPENSEARCH_URL (`--opensearch`) to one that runs.",
        )  # fmt: skip
    if isinstance(error, exceptions.SerializationError):
        return SearchUnavailable(operation, subject, "the reply is not whole JSON", "Is it an OpenSearch cluster?")
    status = getattr(error, "status_code", None)
    info = getattr(error, "info", None)
    reason = reason_of(info.get("error") if isinstance(info, Mapping) else getattr(error, "error", str(error)))
    if status == _TOO_LARGE:
        return RequestTooLarge(operation, subject, reason)
    if status == _TOO_MANY or (isinstance(status, int) and status >= _SERVER_ERROR):
        return SearchUnavailable(
            operation, subject, f"{status} {reason}", "It may pass; otherwise look at the cluster."
        )
    return SearchError(operation, subject, reason, _HINTS.get(status or 0, ""), status=status)
