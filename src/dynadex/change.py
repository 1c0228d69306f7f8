"""The frozen value that flows: one stream record after parsing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

# A DynamoDB attribute value in typed JSON: {"S": "text"}, {"N": "1.5"}, {"M": {...}}, ...
AttributeValue = Mapping[str, Any]
# An item, or the key of one: attribute name -> attribute value.
Item = Mapping[str, AttributeValue]


class Change(NamedTuple):
    """What happened to one item, as its stream record tells it.

    ``image`` is the new image, or None when the item was removed. ``image_known`` is False when the record
    does not say what the item became (no new image, an event name we do not know): such a change can only be
    settled by reading the item. ``time_us`` is ApproximateCreationDateTime in microseconds since the epoch,
    rounded down by DynamoDB to a second. ``sequence_number`` orders the changes of one key, as an integer.
    """

    key: Item
    image: Item | None
    time_us: int
    sequence_number: str
    image_known: bool = True
