"""What a user declares: a table, an index, and how an item becomes a document."""

from __future__ import annotations

import importlib
import inspect
import json
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from traceback import extract_tb
from typing import Any

from dynadex import declaration
from dynadex.change import Item
from dynadex.declaration import Search
from dynadex.document.body import NOT_INDEXED, Built, encode
from dynadex.document.fast_json import body_of
from dynadex.document.typed_json import plain
from dynadex.errors import DeclarationError, DynadexError

Document = Mapping[str, Any]
# From an item, as plain values (see dynadex.document.typed_json), to its document; None: not indexed.
DocumentFunction = Callable[[dict[str, Any]], Document | None]


class Sync:
    """One index kept in step with one table.

    >>> sync = Sync(table="lessons", index="lessons", mappings={"properties": {"title": {"type": "text"}}})

    ``mappings`` and ``settings`` are OpenSearch's own, as a dict or the path of a JSON file. ``document`` is a
    pure function from an item (plain values: text, int or Decimal, bool, None, lists, dicts) to its document, or
    None for an item that is not to be indexed; without it, the document is the item. ``search`` says what the
    search service offers. Contradictions raise DeclarationError here, not in production.

    A Sync only declares: the command `dynadex` runs it, and `dynadex.aws` makes Lambda handlers from it.
    """

    def __init__(
        self,
        *,
        table: str,
        index: str,
        mappings: Mapping[str, Any] | str | Path | None = None,
        settings: Mapping[str, Any] | str | Path | None = None,
        document: DocumentFunction | None = None,
        search: Search | None = None,
    ) -> None:
        self.table = declaration.table_name(table)
        self.index = declaration.index_name(index)
        self.mappings = declaration.mappings(index, _loaded(index, "mappings", mappings))
        self.settings = declaration.settings(index, _loaded(index, "settings", settings))
        self.search = declaration.search(index, search or Search(), self.mappings)
        self.document = _function(index, document)

    def build(self, item: Item | None) -> Built:
        """What the item becomes in the index. Pure; whatever goes wrong is told in the result, never raised."""
        if item is None:
            return NOT_INDEXED
        try:
            if self.document is None:
                return Built(body_of(item))
            document = self.document(plain(item))
            if document is None:
                return NOT_INDEXED
            if not isinstance(document, Mapping):
                return Built(problem=f"the document function returned {type(document).__name__}, not a dict")
            return Built(encode(document))
        except Exception as error:  # noqa: BLE001 - the user's function may raise anything; the key is dead-lettered
            return Built(problem=f"{type(error).__name__}: {error}")

    def __repr__(self) -> str:
        return f"Sync(table={self.table!r}, index={self.index!r})"


_REFERENCE = re.compile(r"\w+(\.\w+)*:\w+(\.\w+)*")


def load_sync(reference: str) -> Sync:
    """The Sync at ``module:attribute``, looked up with the current folder importable.

    Raises DeclarationError that says which half of the reference is wrong.
    """
    if not _REFERENCE.fullmatch(reference):
        raise _unknown(reference, "it is not written module:attribute", "For example: lessons:sync.")
    module_name, attribute = reference.split(":")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and (module_name == error.name or module_name.startswith(error.name + ".")):
            hint = "Run the command in the folder that holds it, or install it."
            raise _unknown(reference, f"there is no module {error.name!r}", hint) from error
        raise _unknown(reference, f"importing it needs {error.name!r}, which is missing", "Install it.") from error
    except DynadexError:
        raise
    except (Exception, SystemExit) as error:
        hint = f'The whole story: python -c "import {module_name}"'
        raise _unknown(reference, f"importing {module_name} raised {_told(error)}", hint) from error
    found: Any = module
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise _unknown(reference, f"{module_name} has no {attribute!r}", _syncs_in(module))
        found = getattr(found, part)
    if not isinstance(found, Sync):
        reason = f"it is a {type(found).__name__}, not a dynadex.Sync"
        raise _unknown(reference, reason, f"Name a Sync. {_syncs_in(module)}")
    return found


def _told(error: BaseException) -> str:
    """An error on one line, with the line of the user's module that it came from."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    frame = next((frame for frame in extract_tb(error.__traceback__) if frame.name == "<module>"), None)
    return f"{text} (line {frame.lineno} of {frame.filename})" if frame else text


def _syncs_in(module: Any) -> str:
    names = [name for name, value in vars(module).items() if isinstance(value, Sync)]
    return f"It does have {', '.join(names)}." if names else "It declares no Sync at all."


def _unknown(reference: str, reason: str, hint: str) -> DeclarationError:
    return DeclarationError("load", reference, reason, hint)


def _loaded(index: str, what: str, given: Mapping[str, Any] | str | Path | None) -> dict[str, Any]:
    if given is None:
        return {}
    if isinstance(given, Mapping):
        try:
            return json.loads(json.dumps(given, default=_dict))  # type: ignore[no-any-return]  # nobody can change it
        except (TypeError, ValueError) as error:
            raise DeclarationError(f"use the {what} of", index, f"they are no JSON: {error}") from None
    path = Path(given)
    hint = 'Give the path of a JSON file, for example Path(__file__).with_name("mappings.json").'
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DeclarationError(f"read the {what} of", index, f"{path.absolute()}: {error.strerror}", hint) from error
    except ValueError as error:
        raise DeclarationError(f"read the {what} of", index, f"{path.absolute()} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise DeclarationError(f"read the {what} of", index, f"{path.absolute()} holds no JSON object", hint)
    return content


def _dict(value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _function(index: str, function: DocumentFunction | None) -> DocumentFunction | None:
    if function is None:
        return None
    if not callable(function) or inspect.iscoroutinefunction(function):
        reason = "document is not a plain function" if callable(function) else "document is not callable"
        raise DeclarationError("declare", index, reason, "Give a function: document(item) -> dict or None.")
    return function
