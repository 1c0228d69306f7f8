"""Adapter for a search cluster: calls opensearch-py, and returns dynadex's own values and errors."""

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
# How long the cluster keeps a listing open while one of its pages is processed.
_PAGE, _SCROLL_TTL = 1000, "5m"
_STATUS_OF = {"index_not_found_exception": 404, "security_exception": 403}
_HINTS = {
    400: "The data is not the cause: check the index settings and the version of the cluster.",
    401: "Check the credentials for the search cluster.",
    403: "Grant this role or user the permission.",
    404: "Create the index with `dynadex refill`.",
}


_TRANSIENT = "The error may be transient; if it persists, check the cluster."


@dataclass(frozen=True, slots=True)
class Stored:
    """Current document in the index."""

    version: int
    seq_no: int
    primary_term: int
    source: Json


@dataclass(frozen=True, slots=True)
class IndexStats:
    """Size of an index: documents visible to searches, and bytes on disk without replicas (None: not known)."""

    documents: int
    bytes: int | None


class OpenSearchIndex:
    """Requests to a search cluster. Each may raise SearchError or a subclass of it."""

    def __init__(self, client: OpenSearch) -> None:
        self._client = client

    def bulk(self, index: str, body: bytes, timeout_seconds: float) -> Sequence[Mapping[str, Any]]:
        """Send one bulk request, and return the items of its reply in order (only status and error of each)."""
        reply = self._call(
            "write to index", index, "POST", f"/{quote(_write_alias(index))}/_bulk", body, timeout_seconds,
            params={"filter_path": "items.*.status,items.*.error", "require_alias": "true"},
        )  # fmt: skip
        items: Sequence[Mapping[str, Any]] = reply.get("items", ())
        return items

    def get_many(self, index: str, ids: Sequence[str]) -> list[Stored | None]:
        """Return the current documents with these ids (realtime), None for each id without one."""
        if not ids:
            return []
        reply = self._call("read from index", index, "POST", f"/{quote(index)}/_mget", orjson.dumps({"ids": list(ids)}))
        return [_stored(index, document) for document in reply["docs"]]

    def versions(self, index: str) -> Iterator[list[tuple[str, int]]]:
        """Yield pages of the id and version of every document that was visible to searches at the first request.

        The order is undefined.
        """
        path, first = f"/{quote(index)}/_search", {"size": _PAGE, "sort": ["_doc"], "version": True, "_source": False}
        reply = self._call("list index", index, "POST", path, orjson.dumps(first), params={"scroll": _SCROLL_TTL})
        try:
            while hits := _whole(reply, index)["hits"]["hits"]:
                yield [(hit["_id"], hit["_version"]) for hit in hits]
                more = orjson.dumps({"scroll": _SCROLL_TTL, "scroll_id": reply["_scroll_id"]})
                reply = self._call("list index", index, "POST", "/_search/scroll", more)
        finally:
            self._call(
                "end the listing of index",
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
        """Return OpenSearch's reply to a search. Searches with the same ``preference`` use the same shard copies."""
        params = {"preference": preference} if preference else None
        return self._call(
            "search index", index, "POST", f"/{quote(index)}/_search", orjson.dumps(body), timeout_seconds, params
        )

    def count(self, index: str) -> int:
        """Return the number of documents visible to searches."""
        return int(self._call("count index", index, "GET", f"/{quote(index)}/_count")["count"])

    def stats(self, index: str) -> IndexStats:
        """Return the size of an index."""
        # The document count of the index statistics includes nested objects.
        documents = self.count(index)
        try:
            reply = self._call("measure index", index, "GET", f"/{quote(index)}/_stats/store")
            size: int | None = int(reply["indices"][index]["primaries"]["store"]["size_in_bytes"])
        except SearchUnavailable:
            raise
        except (SearchError, LookupError, TypeError):
            # A serverless collection has no statistics, and a role may lack the permission to read them.
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
        """Delete an index and its documents."""
        self._call("delete index", index, "DELETE", f"/{quote(index)}")

    def exists(self, index: str) -> bool:
        """Return whether an index or alias has this name."""
        return self._get_or_none("find index", index, f"/{quote(index)}") is not None

    def indexes_behind(self, alias: str) -> list[str]:
        """Return the physical indexes behind an alias, oldest name first; an empty list without such an alias."""
        aliases = self._get_or_none("resolve alias", alias, f"/_alias/{quote(alias)}")
        return sorted(aliases or ())

    def update_aliases(self, actions: Sequence[Mapping[str, Any]]) -> None:
        """Apply alias actions atomically."""
        names = ", ".join(sorted({str(target.get("alias")) for action in actions for target in action.values()}))
        self._call("change alias", names, "POST", "/_aliases", orjson.dumps({"actions": list(actions)}))

    def describe(self, index: str) -> Json:
        """Return the settings, mappings and aliases of one physical index."""
        return self._call("describe index", index, "GET", f"/{quote(index)}")[index]

    def put_settings(self, index: str, settings: Mapping[str, Any]) -> None:
        """Change dynamic settings of an index."""
        self._call("change settings of index", index, "PUT", f"/{quote(index)}/_settings", orjson.dumps(settings))

    def processors(self, index: str) -> int | None:
        """Return the number of processors of all data nodes, None where the cluster does not report it.

        ``index`` is only named in the error when the cluster is unavailable.
        """
        params = {"filter_path": "nodes.*.roles,nodes.*.os.allocated_processors"}
        try:
            reply = self._call("read the nodes of index", index, "GET", "/_nodes/os", params=params)
            data_nodes = [node for node in reply["nodes"].values() if "data" in node["roles"]]
            return sum(int(node["os"]["allocated_processors"]) for node in data_nodes) or None
        except SearchUnavailable:
            raise
        except (SearchError, LookupError, TypeError, AttributeError):
            # A serverless collection has no nodes, and a role may lack the permission to read them.
            return None

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
            _release_request(error)
            raise translate(error, operation, subject) from error


def _stored(index: str, document: Mapping[str, Any]) -> Stored | None:
    if "error" in document:
        raise _document_error(index, document["error"])
    if not document.get("found"):
        return None
    return Stored(document["_version"], document["_seq_no"], document["_primary_term"], document["_source"])


def _release_request(error: BaseException) -> None:
    """Free the request that an error holds on to.

    urllib3 keeps an error in a variable of a frame that the error's traceback refers to: a reference cycle that
    contains the whole request, and that only the garbage collector ends. With `dynadex.gc_tuning`, that runs rarely:
    300 refused connections for bulk requests of 5 MB take up to 1,477 MB of memory without this function, and 49 MB
    with it (with Python's default thresholds 173 and 49 MB).
    """
    cause: BaseException | None = error
    while cause:
        clear_frames(cause.__traceback__)
        cause = cause.__context__


def _document_error(index: str, error: Mapping[str, Any]) -> SearchError:
    """Return the error of one document: its index is missing, access is denied, or its shard is unavailable."""
    status = _STATUS_OF.get(str(error.get("type")))
    if status is None:
        return SearchUnavailable("read from index", index, reason_of(error), _TRANSIENT)
    return SearchError("read from index", index, reason_of(error), _HINTS[status], status=status)


def _whole(reply: Json, index: str) -> Json:
    """Return the reply of a search to which every shard contributed.

    Raises SearchUnavailable otherwise. An unavailable shard never counts as successful, but not always as failed.
    """
    shards = reply.get("_shards", {})
    if shards.get("failed") or shards.get("successful", 0) < shards.get("total", 0):
        reason = f"{shards.get('successful')} of {shards.get('total')} shards responded"
        raise SearchUnavailable("list index", index, reason, _TRANSIENT)
    return reply


def _write_alias(index: str) -> str:
    """Return the private alias through which a physical index is written.

    A write to a missing index would create it, without its mapping, and be acknowledged; with ``require_alias`` it
    is rejected. Deletes ignore ``require_alias``: they are rejected because an index, unlike an alias, cannot have a
    name with capitals.
    """
    return f"{index}-WRITE"


def translate(error: Exception, operation: str, subject: str) -> SearchError:
    """Translate an error of opensearch-py: unavailable (retry), too large (halve), or rejected (stop, with a hint)."""
    from opensearchpy import exceptions

    if isinstance(error, exceptions.SSLError):
        return SearchError(operation, subject, str(error.error), "Check the cluster's certificate and the URL.")
    if isinstance(error, exceptions.ConnectionError):
        return SearchUnavailable(
            operation, subject, f"the search cluster does not respond ({error.error})",
            "Start it, or set OPENSEARCH_URL (`--opensearch`) to a running cluster.",
        )  # fmt: skip
    if isinstance(error, exceptions.SerializationError):
        return SearchUnavailable(
            operation,
            subject,
            "the reply is not complete JSON",
            "Check that OPENSEARCH_URL is that of an OpenSearch cluster.",
        )
    status = getattr(error, "status_code", None)
    info = getattr(error, "info", None)
    reason = reason_of(info.get("error") if isinstance(info, Mapping) else getattr(error, "error", str(error)))
    if status == _TOO_LARGE:
        return RequestTooLarge(operation, subject, reason)
    if status == _TOO_MANY or (isinstance(status, int) and status >= _SERVER_ERROR):
        return SearchUnavailable(operation, subject, f"{status} {reason}", _TRANSIENT)
    return SearchError(operation, subject, reason, _HINTS.get(status or 0, ""), status=status)
