"""Endpoints for single documents, read from and written to the table. The index follows as after any other change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from dynadex.change import Item
from dynadex.clock import Clock
from dynadex.document.body import decode
from dynadex.document.identity import KeySchema
from dynadex.document.typed_json import plain
from dynadex.errors import DeclarationError
from dynadex.http import item_validation, preconditions
from dynadex.http.change_token import ChangeToken, fingerprint
from dynadex.http.items import item_of, key_for, sent_attributes
from dynadex.http.preconditions import Precondition
from dynadex.http.response import reply, tagged
from dynadex.search.problem import Problem
from dynadex.source.table import Condition, ConditionFailed
from dynadex.sync import Sync

# DynamoDB's own limit for an item.
MAX_BYTES = 400 * 1024


class ItemStore(Protocol):
    """The calls to the table that the service makes."""

    def read_items(self, keys: Sequence[Item]) -> list[Item | None]:
        """Return the current items with these keys."""

    def put(self, item: Item, condition: Condition | None = None) -> None:
        """Write one item. Raises ConditionFailed."""

    def delete(self, key: Item, condition: Condition | None = None) -> bool:
        """Delete one item. Return False if there was none. Raises ConditionFailed."""


class DocumentEndpoints:
    """GET, PUT and DELETE of one document. Raises DeclarationError if the version attribute is part of the key."""

    def __init__(self, sync: Sync, table: ItemStore, schema: KeySchema, clock: Clock) -> None:
        self._sync = sync
        self._table = table
        self._schema = schema
        self._clock = clock
        self._attribute = sync.search.version
        if self._attribute in schema.names:
            reason = f"the version attribute {self._attribute!r} is part of the table's key"
            hint = "Declare another attribute for the version."
            raise DeclarationError("serve the items of table", sync.table, reason, hint)

    def read(self, request: Request) -> Response:
        [item] = self._table.read_items([self._key(request)])
        if item is None:
            raise _no_such_item()
        version = preconditions.version_of(item, self._attribute)
        return reply(plain(item)) if version is None else tagged(request, plain(item), preconditions.tag(version))

    async def write(self, request: Request) -> Response:
        key = self._key(request)
        required = preconditions.put_precondition(request.headers, self._attribute)
        attributes = sent_attributes(self._schema, key, await _body(request))
        return await run_in_threadpool(self._write, request, key, attributes, required)

    def delete(self, request: Request) -> Response:
        key, required = self._key(request), preconditions.precondition(request.headers, self._attribute)
        try:
            existed = self._table.delete(key, self._condition(required))
        except ConditionFailed as failed:
            if failed.current is None:
                raise _no_such_item() from None
            raise _conflict(None, failed.current) from None
        if not existed:
            raise _no_such_item()
        return reply({"change": self._token(request, None)})

    def _write(
        self, request: Request, key: Item, attributes: dict[str, Any], required: Precondition | None
    ) -> Response:
        [current] = self._table.read_items([key])
        item = item_of(key, attributes, current)
        version = self._count_up(item, required)
        body = self._checked(item)
        self._put(item, attributes, required, current)
        result = {"item": plain(item), "version": version, "change": self._token(request, fingerprint(body))}
        return reply(result, headers={} if version is None else {"ETag": preconditions.tag(version)})

    def _count_up(self, item: dict[str, Any], required: Precondition | None) -> int | None:
        """Set and return the item's new version: one more than the replaced version, or than the version in a new item.

        A deleted item that is restored therefore never has a version again that another client may still require.
        """
        if self._attribute is None:
            return None
        replaced = required.version if required else None
        version = (replaced if replaced is not None else preconditions.version_of(item, self._attribute) or 0) + 1
        if version > preconditions.MAX_VERSION:
            raise _invalid_item([{"name": self._attribute, "message": "The version has reached its maximum."}])
        item[self._attribute] = {"N": str(version)}
        return version

    def _checked(self, item: Item) -> bytes | None:
        """Return the document of the item, None if it is not indexed. Raises Problem if it cannot be indexed."""
        built = self._sync.build(item)
        if built.problem:
            raise Problem(422, "invalid_item", "The item cannot be converted to a document.", {"fields": []})
        problems = item_validation.problems(self._sync.mappings, decode(built.body)) if built.body else []
        if problems:
            raise _invalid_item(problems)
        return built.body

    def _put(self, item: Item, sent: dict[str, Any], required: Precondition | None, current: Item | None) -> None:
        """Write the item. Raises Problem if the precondition does not hold.

        This includes a current item equal to the one sent. It may be this client's earlier attempt, whose response was
        lost, but also another client's write: of two clients that each add one to a number, only one may succeed.
        """
        if required and not required.met_by(current, self._attribute):
            raise _conflict(sent, current)
        try:
            self._table.put(item, self._condition(required))
        except ConditionFailed as failed:
            raise _conflict(sent, failed.current) from None

    def _condition(self, required: Precondition | None) -> Condition | None:
        return required.condition(self._schema.names[0], self._attribute) if required else None

    def _token(self, request: Request, document_fingerprint: str | None) -> str:
        # The time is taken after the write, so a document with a later version contains the write.
        return str(ChangeToken(request.path_params["id"], document_fingerprint, self._clock.now_us()))

    def _key(self, request: Request) -> dict[str, Any]:
        return key_for(self._schema, request.path_params["id"])


async def _body(request: Request) -> bytes:
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > MAX_BYTES:
            raise Problem(413, "too_large", f"An item is at most {MAX_BYTES // 1024} KB.")
    return bytes(received)


def _no_such_item() -> Problem:
    return Problem(404, "not_found", "There is no item with this id.")


def _invalid_item(fields: list[dict[str, str]]) -> Problem:
    names = ", ".join(field["name"][:80] or "the item as a whole" for field in fields)
    return Problem(
        422, "invalid_item", f"The item does not fit the mapping of these fields: {names}.", {"fields": fields}
    )


def _conflict(sent: dict[str, Any] | None, current: Item | None) -> Problem:
    message = "The item has changed since it was read." if current is not None else "The item no longer exists."
    details = {"yours": sent, "current": None if current is None else plain(current)}
    return Problem(412, "version_conflict", message, details)
