"""Preconditions of a write: If-Match and If-None-Match become a DynamoDB condition.

An item's version is a number attribute that the Sync declares (``Search(version=...)``); an item without it has
version 0. Each write through the service stores one more than the version that it replaces.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dynadex.change import Item
from dynadex.document.typed_json import plain
from dynadex.search.problem import Problem, bad_request
from dynadex.source.table import Condition

# More versions than any item reaches, and few enough digits to be exact in any JSON parser.
VERSION_TAG = '^"(0|[1-9][0-9]{0,14})"$'
MAX_VERSION = 10**15 - 1


@dataclass(frozen=True, slots=True)
class Precondition:
    """The version that the item must have before a write; None: the item must not exist."""

    version: int | None

    def condition(self, key: str, attribute: str | None) -> Condition:
        """Return the condition for DynamoDB.

        ``key`` is the name of a key attribute, ``attribute`` the name of the version attribute.
        """
        if self.version is None:
            return Condition.absent(key)
        assert attribute, "a version can only be required if one is declared"
        return Condition.version(key, attribute, self.version)

    def met_by(self, current: Item | None, attribute: str | None) -> bool:
        """Return whether the current item, None if there is none, meets the precondition."""
        if current is None or self.version is None:
            return current is None and self.version is None
        return version_of(current, attribute) == self.version


def precondition(headers: Mapping[str, str], attribute: str | None) -> Precondition | None:
    """Return the precondition in the headers, or None. Raises Problem if it is invalid."""
    match, none_match = headers.get("if-match"), headers.get("if-none-match")
    if match is not None and none_match is not None:
        raise bad_request("bad_condition", "If-Match and If-None-Match cannot be combined.")
    if none_match is not None:
        if none_match.strip() != "*":
            raise bad_request("bad_condition", "If-None-Match of a write must be *.")
        return Precondition(None)
    if match is None:
        return None
    if attribute is None:
        raise bad_request("bad_condition", "The items of this table have no version. Omit If-Match.")
    tag = re.fullmatch(VERSION_TAG, match.strip())
    if not tag:
        raise bad_request("bad_condition", 'If-Match must be one version in quotes, such as "3".')
    return Precondition(int(tag[1]))


def put_precondition(headers: Mapping[str, str], attribute: str | None) -> Precondition | None:
    """Return the precondition of a PUT, which is mandatory where items have versions. Raises Problem."""
    required = precondition(headers, attribute)
    if required is None and attribute is not None:
        message = (
            'A write must state what it replaces: If-Match: "VERSION" for a change, If-None-Match: * for a new item.'
        )
        raise Problem(428, "condition_required", message)
    return required


def version_of(item: Item, attribute: str | None) -> int | None:
    """Return the version of an item; None if no version is declared, or if the attribute is not a valid version."""
    if attribute is None:
        return None
    if attribute not in item:
        return 0
    version: Any = plain({attribute: item[attribute]})[attribute]
    if isinstance(version, bool) or not isinstance(version, int) or not 0 <= version <= MAX_VERSION:
        return None
    return version


def tag(version: int) -> str:
    """Return the ETag of an item with this version."""
    return f'"{version}"'
