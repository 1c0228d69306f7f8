"""What a writer expects to be there, told by If-Match and If-None-Match: pure.

An item's version is a number attribute that the Sync declares (``Search(version=...)``); an item without it has
version 0. Each write through the service stores one more than what it replaces.
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

# More than anybody writes, and few enough digits for any JSON reader.
VERSION_TAG = '^"(0|[1-9][0-9]{0,14})"$'
MAX_VERSION = 10**15 - 1


@dataclass(frozen=True, slots=True)
class Expected:
    """The version of the item that is there; None: there is no item."""

    version: int | None

    def condition(self, key: str, attribute: str | None) -> Condition:
        """The same for DynamoDB; ``key`` names a key attribute, ``attribute`` the one with the version."""
        if self.version is None:
            return Condition.absent(key)
        assert attribute, "only a declared version is expected"
        return Condition.version(key, attribute, self.version)

    def met_by(self, current: Item | None, attribute: str | None) -> bool:
        """Whether this is what is there."""
        if current is None or self.version is None:
            return current is None and self.version is None
        return version_of(current, attribute) == self.version


def expected(headers: Mapping[str, str], attribute: str | None) -> Expected | None:
    """What a request expects, None if nothing. Raises Problem for what cannot be expected."""
    match, none_match = headers.get("if-match"), headers.get("if-none-match")
    if match is not None and none_match is not None:
        raise bad_request("bad_condition", "If-Match and If-None-Match exclude each other.")
    if none_match is not None:
        if none_match.strip() != "*":
            raise bad_request("bad_condition", "A write takes If-None-Match: * or none.")
        return Expected(None)
    if match is None:
        return None
    if attribute is None:
        raise bad_request("bad_condition", "Items here have no version: leave If-Match out.")
    tag = re.fullmatch(VERSION_TAG, match.strip())
    if not tag:
        raise bad_request("bad_condition", 'If-Match takes one version in quotes, such as "3".')
    return Expected(int(tag[1]))


def expected_by_a_put(headers: Mapping[str, str], attribute: str | None) -> Expected | None:
    """The same for a PUT, which must say what it replaces where items have versions. Raises Problem."""
    wanted = expected(headers, attribute)
    if wanted is None and attribute is not None:
        message = 'Say what is replaced: If-Match: "VERSION" for a change, If-None-Match: * for a new item.'
        raise Problem(428, "condition_required", message)
    return wanted


def version_of(item: Item, attribute: str | None) -> int | None:
    """The version of an item; None where there is none, or something else in its place."""
    if attribute is None:
        return None
    if attribute not in item:
        return 0
    found: Any = plain({attribute: item[attribute]})[attribute]
    if isinstance(found, bool) or not isinstance(found, int) or not 0 <= found <= MAX_VERSION:
        return None
    return found


def tag(version: int) -> str:
    """The ETag of an item with this version."""
    return f'"{version}"'
