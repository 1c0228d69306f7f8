"""Single documents: read from the table, written to the table. The index follows as after any other change."""

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
from dynadex.http.preconditions import Expected
from dynadex.http.response import reply, tagged
from dynadex.search.problem import Problem
from dynadex.source.table import Condition, ConditionFailed
from dynadex.sync import Sync

# DynamoDB's own limit for an item.
MAX_BYTES = 400 * 1024


class ItemStore(Protocol):
    """What is asked of the table."""

    def read_items(self, keys: Sequence[Item]) -> list[Item | None]:
        """The items with these keys as they are now."""

    def put(self, item: Item, condition: Condition | None = None) -> None:
        """Write one item. Raises ConditionFailed."""

    def delete(self, key: Item, condition: Condition | None = None) -> bool:
        """Delete one item; False when there was none. Raises ConditionFailed."""


class DocumentEndpoints:
    """GET, PUT and DELETE of one document. Raises DeclarationError for a version that would be part of the key."""

    def __init__(self, sync: Sync, table: ItemStore, schema: KeySchema, clock: Clock) -> None:
        self._sync = sync
        self._table = table
        self._schema = schema
        self._clock = clock
        self._attribute = sync.search.version
        if self._attribute in schema.names:
            reason = f"the version is to be kept in {self._attribute!r}, which is part of the table's key"
            raise DeclarationError("serve the items of table", sync.table, reason, "Declare another attribute.")

    def read(self, request: Request) -> Response:
        [item] = self._table.read_items([self._key(request)])
        if item is None:
            raise _no_such_item()
        version = preconditions.version_of(item, self._attribute)
        return reply(plain(item)) if version is None else tagged(request, plain(item), preconditions.tag(version))

    async def write(self, request: Request) -> Response:
        key = self._key(request)
        wanted = preconditions.expected_by_a_put(request.headers, self._attribute)
        attributes = sent_attributes(self._schema, key, await _body(request))
        return await run_in_threadpool(self._write, request, key, attributes, wanted)

    def delete(self, request: Request) -> Response:
        key, wanted = self._key(request), preconditions.expected(request.headers, self._attribute)
        try:
            there = self._table.delete(key, self._condition(wanted))
        except ConditionFailed as failed:
            if failed.current is None:
                raise _no_such_item() from None
            raise _conflict(None, failed.current) from None
        if not there:
            raise _no_such_item()
        return reply({"change": self._token(request, None)})

    def _write(self, request: Request, key: Item, attributes: dict[str, Any], wanted: Expected | None) -> Response:
        [current] = self._table.read_items([key])
        item = item_of(key, attributes, current)
        version = self._numbered(item, wanted)
        body = self._checked(item)
        self._put(item, attributes, wanted, current)
        answer = {"item": plain(item), "version": version, "change": self._token(request, fingerprint(body))}
        return reply(answer, headers={} if version is None else {"ETag": preconditions.tag(version)})

    def _numbered(self, item: dict[str, Any], wanted: Expected | None) -> int | None:
        """The item's new version, put into it: one more than what it replaces, or than a new one says it had before.

        So an item that was deleted and is put back never has a version again that somebody may still expect.
        """
        if self._attribute is None:
            return None
        replaced = wanted.version if wanted else None
        version = (replaced if replaced is not None else preconditions.version_of(item, self._attribute) or 0) + 1
        if version > preconditions.MAX_VERSION:
            raise _unfit([{"name": self._attribute, "message": "There is no higher version."}])
        item[self._attribute] = {"N": str(version)}
        return version

    def _checked(self, item: Item) -> bytes | None:
        """What is to be indexed of the item; raises Problem when that would not work."""
        built = self._sync.build(item)
        if built.problem:
            raise Problem(422, "invalid_item", "No document can be made of this item.", {"fields": []})
        found = item_validation.problems(self._sync.mappings, decode(built.body)) if built.body else []
        if found:
            raise _unfit(found)
        return built.body

    def _put(self, item: Item, sent: dict[str, Any], wanted: Expected | None, current: Item | None) -> None:
        """Write it; raises Problem when something else is there than was expected.

        Also when what is there says the very same. It may be this client's own earlier try, whose answer was lost; it
        may as well be another's: two who each add one to a number must not both be told that they did.
        """
        if wanted and not wanted.met_by(current, self._attribute):
            raise _conflict(sent, current)
        try:
            self._table.put(item, self._condition(wanted))
        except ConditionFailed as failed:
            raise _conflict(sent, failed.current) from None

    def _condition(self, wanted: Expected | None) -> Condition | None:
        return wanted.condition(self._schema.names[0], self._attribute) if wanted else None

    def _token(self, request: Request, expected_fingerprint: str | None) -> str:
        # The time is taken after the write: what is made of a later read holds it.
        return str(ChangeToken(request.path_params["id"], expected_fingerprint, self._clock.now_us()))

    def _key(self, request: Request) -> dict[str, Any]:
        return key_for(self._schema, request.path_params["id"])


async def _body(request: Request) -> bytes:
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > MAX_BYTES:
            raise Problem(413, "too_large", f"An item has at most {MAX_BYTES // 1024} KB.")
    return bytes(received)


def _no_such_item() -> Problem:
    return Problem(404, "not_found", "There is no item with this id.")


def _unfit(fields: list[dict[str, str]]) -> Problem:
    names = ", ".join(one["name"][:80] or "the item as a whole" for one in fields)
    return Problem(422, "invalid_item", f"This does not fit the declared fields: {names}.", {"fields": fields})


def _conflict(sent: dict[str, Any] | None, current: Item | None) -> Problem:
    message = "The item has changed meanwhile." if current is not None else "The item is not there any more."
    details = {"yours": sent, "current": None if current is None else plain(current)}
    return Problem(412, "version_conflict", message, details)
