"""`dynadex config`: what each setting is, and where it came from."""

from __future__ import annotations

import json
import sys
from shutil import get_terminal_size
from typing import Any

from dynadex.cli.options import AsJson, DynamoDbUrl, OpenSearchUrl
from dynadex.cli.output import aligned
from dynadex.settings import RuntimeSettings, sourced, variables, without_password


def config(as_json: AsJson = False, opensearch: OpenSearchUrl = None, dynamodb: DynamoDbUrl = None) -> None:
    """Show each setting with its value and where it came from.

    Flags win over the environment, the environment over the table [tool.dynadex] of the pyproject.toml in the current
    folder, and that over the defaults. Passwords in URLs are not shown. Exit code 1 when a value cannot be used.
    Example:

        dynadex config --json
    """
    found = sourced(opensearch_url=opensearch, dynamodb_url=dynamodb)
    if as_json:
        print(json.dumps({one.name: {"value": _shown(one.value), "source": one.where} for one in found}))
    else:
        rows = [(one.name, "" if one.value is None else str(_shown(one.value)), one.where) for one in found]
        names = [" or ".join(variables(one.name)) for one in found]
        lines = [("setting", "value", "from", "variable")]
        lines += [(*row, name) for row, name in zip(rows, names, strict=True)]
        shown = aligned(lines)
        if sys.stdout.isatty() and max(map(len, shown)) > get_terminal_size().columns:
            # Names of variables are those of settings in capitals; the rest would be torn apart.
            shown = aligned([line[:-1] for line in lines])
        print("\n".join(shown))
    RuntimeSettings.from_environment(opensearch_url=opensearch, dynamodb_url=dynamodb)


def _shown(value: Any) -> Any:
    return without_password(value) if isinstance(value, str) else value
