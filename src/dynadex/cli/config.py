"""`dynadex config`: every setting with its value and source."""

from __future__ import annotations

import json
import sys
from shutil import get_terminal_size
from typing import Any

from dynadex.cli.options import AsJson, DynamoDbUrl, OpenSearchUrl
from dynadex.cli.output import aligned
from dynadex.settings import RuntimeSettings, sourced, variables, without_password


def config(as_json: AsJson = False, opensearch: OpenSearchUrl = None, dynamodb: DynamoDbUrl = None) -> None:
    """Show every setting with its value and source.

    A flag takes precedence over the environment, the environment over the table [tool.dynadex] of the pyproject.toml in
    the current folder, and that over the default. Passwords in URLs are masked. Exit code 1 if a value is invalid.
    Example:

        dynadex config --json
    """
    settings = sourced(opensearch_url=opensearch, dynamodb_url=dynamodb)
    if as_json:
        print(
            json.dumps(
                {setting.name: {"value": _masked(setting.value), "source": setting.where} for setting in settings}
            )
        )
    else:
        rows = [("setting", "value", "from", "variable")]
        for setting in settings:
            value = "" if setting.value is None else str(_masked(setting.value))
            rows.append((setting.name, value, setting.where, " or ".join(variables(setting.name))))
        lines = aligned(rows)
        if sys.stdout.isatty() and max(map(len, lines)) > get_terminal_size().columns:
            # The column of the variables is the one that can be derived from the others.
            lines = aligned([row[:-1] for row in rows])
        print("\n".join(lines))
    RuntimeSettings.from_environment(opensearch_url=opensearch, dynamodb_url=dynamodb)


def _masked(value: Any) -> Any:
    return without_password(value) if isinstance(value, str) else value
