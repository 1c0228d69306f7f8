"""Sync: the declaration of a table, an index, and the function from an item to its document."""

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
# From an item in plain values (see dynadex.document.typed_json) to its document, or to None: do not index the item.
DocumentFunction = Callable[[dict[str, Any]], Document | None]


class Sync:
    """The declaration of one index that is kept in step with one table.

    Examples:
        >>> sync = Sync(table="lessons", index="lessons", mappings={"properties": {"title": {"type": "text"}}})

    A Sync only declares and connects to nothing: the command `dynadex` runs it, and `dynadex.aws` makes Lambda
    handlers from it.

    Args:
        table: Name of the DynamoDB table, 3 to 255 characters.
        index: Name of the index for searches, at most 234 characters. It becomes an alias: the physical indexes behind
            it are named after the time of their creation.
        mappings: OpenSearch mappings, as a dict or the path of a JSON file. Without them, OpenSearch maps each field
            dynamically by its first value.
        settings: OpenSearch index settings, as a dict or the path of a JSON file, with or without the prefix
            ``index.``. ``gc_deletes`` must be at least 15 minutes, which is also its default.
        document: Function from an item to its document, or to None for an item that is not to be indexed. The item is a
            dict of plain values: str, int or Decimal, bool, None, list and dict. The function must be pure: it runs
            again whenever an item is read or verified, and its result must depend on the item alone. An item for which
            it raises is dead-lettered. Without it, the document is the item.
        search: What the search service offers for the index. Without it, the service returns documents but searches
            no field.

    Raises:
        DeclarationError: If arguments contradict each other or the guarantees of dynadex, or a file cannot be read.
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
        self.table = declaration.checked_table_name(table)
        self.index = declaration.checked_index_name(index)
        self.mappings = declaration.checked_mappings(index, _load_json(index, "mappings", mappings))
        self.settings = declaration.checked_settings(index, _load_json(index, "settings", settings))
        self.search = declaration.checked_search(index, search or Search(), self.mappings)
        self.document = _checked_function(index, document)

    def build(self, item: Item | None) -> Built:
        """Build the document of an item.

        Args:
            item: The item in DynamoDB typed JSON; None if it does not exist.

        Returns:
            The bytes of the document, or that there is none, or the problem: an exception of the document function is
            returned, not raised.
        """
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
    """Import the Sync at a reference ``module:attribute``, from the current folder or the installed packages.

    Raises DeclarationError that names the half of the reference that is wrong, and any DynadexError that the module
    itself raises.
    """
    if not _REFERENCE.fullmatch(reference):
        raise _not_loaded(reference, "it is not of the form module:attribute", "For example: lessons:sync.")
    module_name, attribute = reference.split(":")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and (module_name == error.name or module_name.startswith(error.name + ".")):
            hint = "Run the command in the folder that holds it, or install it."
            raise _not_loaded(reference, f"there is no module {error.name!r}", hint) from error
        raise _not_loaded(reference, f"importing it needs {error.name!r}, which is missing", "Install it.") from error
    except DynadexError:
        raise
    except (Exception, SystemExit) as error:
        hint = f'For the full traceback, run: python -c "import {module_name}"'
        raise _not_loaded(reference, f"importing {module_name} raised {_summary(error)}", hint) from error
    sync: Any = module
    for name in attribute.split("."):
        if not hasattr(sync, name):
            raise _not_loaded(reference, f"{module_name} has no {attribute!r}", _syncs_in(module))
        sync = getattr(sync, name)
    if not isinstance(sync, Sync):
        reason = f"it is a {type(sync).__name__}, not a dynadex.Sync"
        raise _not_loaded(reference, reason, f"Name a Sync. {_syncs_in(module)}")
    return sync


def _summary(error: BaseException) -> str:
    """The error on one line, with the line of the user's module that raised it."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    frame = next((frame for frame in extract_tb(error.__traceback__) if frame.name == "<module>"), None)
    return f"{text} (line {frame.lineno} of {frame.filename})" if frame else text


def _syncs_in(module: Any) -> str:
    names = [name for name, value in vars(module).items() if isinstance(value, Sync)]
    return f"It declares {', '.join(names)}." if names else "It declares no Sync."


def _not_loaded(reference: str, reason: str, hint: str) -> DeclarationError:
    return DeclarationError("load", reference, reason, hint)


def _load_json(index: str, what: str, source: Mapping[str, Any] | str | Path | None) -> dict[str, Any]:
    """The mappings or settings as a new dict, from a mapping or a file."""
    if source is None:
        return {}
    if isinstance(source, Mapping):
        try:
            # A copy: later changes of the argument do not change the declaration.
            return json.loads(json.dumps(source, default=_dict))  # type: ignore[no-any-return]
        except (TypeError, ValueError) as error:
            raise DeclarationError(f"use the {what} of", index, f"they have no JSON form: {error}") from None
    path = Path(source)
    hint = 'Pass the path of a JSON file, for example Path(__file__).with_name("mappings.json").'
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DeclarationError(f"read the {what} of", index, f"{path.absolute()}: {error.strerror}", hint) from error
    except ValueError as error:
        raise DeclarationError(f"read the {what} of", index, f"{path.absolute()} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise DeclarationError(f"read the {what} of", index, f"{path.absolute()} does not contain a JSON object", hint)
    return content


def _dict(value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _checked_function(index: str, function: DocumentFunction | None) -> DocumentFunction | None:
    if function is None:
        return None
    if not callable(function) or inspect.iscoroutinefunction(function):
        reason = "document is not a plain function" if callable(function) else "document is not callable"
        raise DeclarationError("declare", index, reason, "Pass a function: document(item) -> dict or None.")
    return function
