"""Settle keys by hand: those that were dead-lettered, or any that somebody names. All of it is reconciliation."""

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
_NO_KEY = "the record named no key: nothing can be read for it; remove it by hand once you know what it was"


@dataclass(slots=True)
class Redriven:
    """What became of the dead letters: how many are settled and gone, and which still fail, with their reasons."""

    settled: int = 0
    failing: list[tuple[DeadLetter, str]] = field(default_factory=list)


def redrive(
    runtime: Runtime, stop: threading.Event, on_progress: Callable[[Redriven], None], *, dry_run: bool = False
) -> Redriven:
    """Reconcile every dead-lettered key; a letter is removed only after its key is settled in every index.

    Stops between batches once ``stop`` is set; what was not looked at stays dead-lettered. With ``dry_run`` nothing is
    written, and every letter is reported with the reason it was dead-lettered for. Raises DeadLetterError,
    SearchError or SourceError, with every unsettled letter still dead-lettered.
    """
    result = Redriven()
    # Given back only at the end: a queue would hand out again, and hide, what is given back while it is read.
    held: list[StoredLetter] = []
    try:
        for batch in runtime.dead_letters.batches():
            held += batch
            if stop.is_set():
                break
            failing = {one.handle: one.letter.reason for one in batch} if dry_run else _settle_batch(runtime, batch)
            settled = [one for one in batch if one.handle not in failing]
            runtime.dead_letters.remove(settled)
            held = [one for one in held if one not in settled]
            result.settled += len(settled)
            result.failing += [(one.letter, failing[one.handle]) for one in batch if one.handle in failing]
            on_progress(result)
    finally:
        runtime.dead_letters.release(held)
    return result


@dataclass(frozen=True, slots=True)
class Resynced:
    """What became of a key, and whether there was an item of it right afterwards."""

    reply: Reply
    has_item: bool


def resync(runtime: Runtime, names: Sequence[str]) -> dict[str, Resynced]:
    """Reconcile the keys named, each a document id or a key as typed JSON; what became of each.

    Raises DynadexError for a name that is no key of the table.
    """
    keys: dict[str, Item] = {}
    for name in names:
        key = key_named(runtime, name)
        keys[document_id(runtime.description.schema, key)] = key
    replies = settle(runtime, keys)
    items = runtime.table.read_items(list(keys.values()))
    has_item = {identity: item is not None for identity, item in zip(keys, items, strict=True)}
    return {identity: Resynced(reply, has_item[identity]) for identity, reply in replies.items()}


def settle(runtime: Runtime, keys: Mapping[str, Item]) -> dict[str, Reply]:
    """Reconcile keys in every index; a key counts as applied only where it is in all of them."""
    outcome: dict[str, Reply] = dict.fromkeys(keys, APPLIED)
    for index in runtime.alias.current():
        deadline = runtime.clock.monotonic() + _BATCH_SECONDS
        try:
            replies = runtime.reconciler.reconcile(index, keys, deadline)
        except SearchError as error:
            if not error.not_found or not runtime.alias.retired(index):
                raise
            return settle(runtime, keys)
        outcome |= {identity: reply for identity, reply in replies.items() if reply.outcome is not Outcome.APPLIED}
    return outcome


def key_named(runtime: Runtime, name: str) -> Item:
    """The key that a person named: ``{"id": {"S": "rakes"}}`` or the id of its document."""
    try:
        key = json.loads(name) if name.startswith("{") else key_of_id(runtime.description.schema, name)
        if key is not None:
            _check_key(runtime.description.schema, key)
    except ValueError as error:
        raise DynadexError("resync", repr(name), str(error), _KEY_HINT) from error
    if key is None:
        raise DynadexError("resync", repr(name), "the key cannot be told from a shortened id", _KEY_HINT)
    return key


def _check_key(schema: KeySchema, key: Item) -> None:
    """Raise ValueError for what DynamoDB would refuse as a key, and with it all keys that are asked for at once."""
    document_id(schema, key)
    for name, value in key.items():
        if name not in schema.names:
            raise ValueError(f"{name!r} is no key attribute of the table's; those are {', '.join(schema.names)}")
        if not any(value.values()):
            raise ValueError(f"key attribute {name!r} is empty")


_KEY_HINT = """Name a document id, or a key as typed JSON: '{"id": {"S": "rakes"}}'."""


def _settle_batch(runtime: Runtime, batch: Sequence[StoredLetter]) -> dict[str, str]:
    """Reconcile the keys of a batch; handle -> reason of the letters that still fail."""
    named = [one for one in batch if one.letter.key]
    schema = runtime.description.schema
    failing = {one.handle: _NO_KEY for one in batch if not one.letter.key}
    ids: dict[str, str] = {}
    keys: dict[str, Item] = {}
    for one in named:
        key = one.letter.key or {}
        try:
            identity = document_id(schema, key)
        except ValueError as error:
            failing[one.handle] = str(error)
            continue
        ids[one.handle] = identity
        keys[identity] = key
    outcome = settle(runtime, keys) if keys else {}
    return failing | {
        handle: outcome[identity].reason for handle, identity in ids.items() if outcome[identity] != APPLIED
    }
