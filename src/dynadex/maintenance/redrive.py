"""Reconciles keys on demand: those of dead letters (redrive), or those that a user names (resync)."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from dynadex.change import Item
from dynadex.dead_letters.port import DeadLetter, StoredLetter
from dynadex.document.identity import KeySchema, document_id, key_of_id
from dynadex.errors import DynadexError, SearchError
from dynadex.index.bulk import APPLIED, Outcome, Reply
from dynadex.runtime import Runtime

_BATCH_SECONDS = 60.0
_NO_KEY = "the record has no key, so its item cannot be read: delete the dead letter once you know its origin"
_KEY_HINT = """Name a document id, or a key as typed JSON: '{"id": {"S": "rakes"}}'."""


@dataclass(slots=True)
class Redriven:
    """Result of a redrive.

    ``settled`` dead letters succeeded and are deleted; those in ``failing`` still fail, each with its reason.
    """

    settled: int = 0
    failing: list[tuple[DeadLetter, str]] = field(default_factory=list)


def redrive(
    runtime: Runtime, stop: threading.Event, on_progress: Callable[[Redriven], None], *, dry_run: bool = False
) -> Redriven:
    """Reconcile every dead-lettered key. Deletes a dead letter only after its key is settled in every index.

    Stops between batches once ``stop`` is set; the other keys stay dead-lettered. With ``dry_run``, changes nothing and
    reports every dead letter with its stored reason. Raises DeadLetterError, SearchError or SourceError; every
    unsettled key then stays dead-lettered.
    """
    result = Redriven()
    # Returned only at the end: a queue would deliver, and then hide, a letter that is returned while it is read.
    unsettled: list[StoredLetter] = []
    try:
        for batch in runtime.dead_letters.batches():
            unsettled += batch
            if stop.is_set():
                break
            failing = {stored.handle: stored.letter.reason for stored in batch} if dry_run else _settle(runtime, batch)
            settled = [stored for stored in batch if stored.handle not in failing]
            runtime.dead_letters.remove(settled)
            unsettled = [stored for stored in unsettled if stored not in settled]
            result.settled += len(settled)
            result.failing += [(stored.letter, failing[stored.handle]) for stored in batch if stored.handle in failing]
            on_progress(result)
    finally:
        runtime.dead_letters.release(unsettled)
    return result


@dataclass(frozen=True, slots=True)
class Resynced:
    """Result of reconciling one key, and whether its item existed right afterwards."""

    reply: Reply
    has_item: bool


def resync(runtime: Runtime, names: Sequence[str]) -> dict[str, Resynced]:
    """Reconcile named keys; return the result of each by its document id.

    ``names`` are document ids, or keys as typed JSON. Raises DynadexError for a name that is not a key of the table.
    """
    keys: dict[str, Item] = {}
    for name in names:
        key = parse_key(runtime.description.schema, name)
        keys[document_id(runtime.description.schema, key)] = key
    replies = settle(runtime, keys)
    items = runtime.table.read_items(list(keys.values()))
    has_item = {identity: item is not None for identity, item in zip(keys, items, strict=True)}
    return {identity: Resynced(reply, has_item[identity]) for identity, reply in replies.items()}


def settle(runtime: Runtime, keys: Mapping[str, Item]) -> dict[str, Reply]:
    """Reconcile keys, given by document id, in every index. A key is applied only if it is applied in all of them."""
    outcomes: dict[str, Reply] = dict.fromkeys(keys, APPLIED)
    for index in runtime.alias.current():
        deadline = runtime.clock.monotonic() + _BATCH_SECONDS
        try:
            replies = runtime.reconciler.reconcile(index, keys, deadline)
        except SearchError as error:
            if not error.not_found or not runtime.alias.retired(index):
                raise
            return settle(runtime, keys)
        outcomes |= {identity: reply for identity, reply in replies.items() if reply.outcome is not Outcome.APPLIED}
    return outcomes


def parse_key(schema: KeySchema, name: str) -> Item:
    """Return the key with a name: typed JSON such as ``{"id": {"S": "rakes"}}``, or the id of its document."""
    try:
        key = json.loads(name) if name.startswith("{") else key_of_id(schema, name)
        if key is not None:
            _check_key(schema, key)
    except ValueError as error:
        raise DynadexError("resync", repr(name), str(error), _KEY_HINT) from error
    if key is None:
        raise DynadexError("resync", repr(name), "a shortened document id does not contain its key", _KEY_HINT)
    return key


def _check_key(schema: KeySchema, key: Item) -> None:
    """Raise ValueError for a key that DynamoDB would reject, and with it all keys of the same request."""
    document_id(schema, key)
    for name, value in key.items():
        if name not in schema.names:
            raise ValueError(f"{name!r} is not a key attribute of the table; those are {', '.join(schema.names)}")
        if not any(value.values()):
            raise ValueError(f"key attribute {name!r} is empty")


def _settle(runtime: Runtime, batch: Sequence[StoredLetter]) -> dict[str, str]:
    """Reconcile the keys of a batch; return the reasons of the letters that still fail, by handle."""
    failing: dict[str, str] = {}
    ids: dict[str, str] = {}
    keys: dict[str, Item] = {}
    for stored in batch:
        if not stored.letter.key:
            failing[stored.handle] = _NO_KEY
            continue
        try:
            identity = document_id(runtime.description.schema, stored.letter.key)
        except ValueError as error:
            failing[stored.handle] = str(error)
            continue
        ids[stored.handle] = identity
        keys[identity] = stored.letter.key
    outcomes = settle(runtime, keys) if keys else {}
    return failing | {
        handle: outcomes[identity].reason for handle, identity in ids.items() if outcomes[identity] != APPLIED
    }
