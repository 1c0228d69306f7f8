"""One stream record after parsing, as a frozen value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

# A DynamoDB attribute value in typed JSON: {"S": "text"}, {"N": "1.5"}, {"M": {...}}, ...
AttributeValue = Mapping[str, Any]
# An item, or the key of an item: attribute name -> attribute value.
Item = Mapping[str, AttributeValue]


class Change(NamedTuple):
    """A change of one item, from its stream record.

    Attributes:
        key: The item's key attributes.
        image: The new image; None when the item was deleted.
        time_us: ApproximateCreationDateTime in microseconds since the epoch; DynamoDB rounds it down to a second.
        sequence_number: Decimal digits. Compared as an integer, it orders the changes of one key.
        image_known: False when the record does not contain the item's new state (no new image, or an unknown event
            name). Only a read of the item can settle such a change.
    """

    key: Item
    image: Item | None
    time_us: int
    sequence_number: str
    image_known: bool = True
