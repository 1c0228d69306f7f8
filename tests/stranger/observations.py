"""A table of birdwatching observations with a composite key, maps, lists of maps, sets and inconsistent values."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SEED = 20261124
COUNT = 240
_SPECIES = ("Sterna paradisaea", "Larus canus", "Calidris alpina", "Alca torda", "Fratercula arctica")
_PLACES = ("The long pier", "Old harbour wall", "North shingle bank", "Lighthouse rock", "Ferry landing")
_SEEN = ("a small flock over the water", "two adults feeding young", "one bird, ringed on the left leg", "heard only")


def observations() -> list[dict[str, Any]]:
    """Return items as typed JSON, the same on every call."""
    dice = random.Random(SEED)
    return [_observation(number, dice) for number in range(COUNT)]


def _observation(number: int, dice: random.Random) -> dict[str, Any]:
    day = f"2026-{1 + number % 12:02}-{1 + number % 28:02}"
    item: dict[str, Any] = {
        "station": {"S": f"st|{number % 8}"},
        "noted": {"N": str(1_700_000_000 + number)},
        "title": {"S": f"{_SEEN[number % 4]}, {_PLACES[dice.randrange(5)].lower()}"},
        "species": {"S": dice.choice(_SPECIES)},
        "seen_at": {"S": f"{day}T{number % 24:02}:15:00Z"},
        "observer": {"S": f"watcher{number % 37}@example.org"},
        "rings": {"SS": sorted({f"R{dice.randrange(1000)}" for _ in range(3)})},
        "heights": {"NS": sorted({str(dice.randrange(100)) for _ in range(3)})},
        "photo": {"B": bytes([number % 256, 1, 2])},
        "confirmed": {"BOOL": number % 3 == 0},
        "place": {
            "M": {
                "name": {"S": dice.choice(_PLACES)},
                "position": {
                    "M": {"lat": {"N": f"{54 + dice.random():.5f}"}, "lon": {"N": f"{-3 - dice.random():.5f}"}}
                },
            }
        },
        "measures": {
            "L": [{"M": {"what": {"S": what}, "value": {"N": str(dice.randrange(90))}}} for what in ("wing", "bill")]
        },
        # The names in this map are days: data that grows over time.
        "per_day": {"M": {f"{day}-{dice.randrange(1000)}": {"N": "1"}}},
        # Mostly numbers, sometimes text.
        "flock": {"N": str(dice.randrange(50))} if number % 10 else {"S": "about a dozen"},
        "weather": {"S": "clear"} if number % 6 else {"M": {"wind": {"S": "north"}}},
    }
    return item if number % 4 else item | {"remark": {"NULL": True}}


def create(client: DynamoDBClient, table: str) -> None:
    """Create the table with its stream, and write every observation to it."""
    client.create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "station", "KeyType": "HASH"}, {"AttributeName": "noted", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "station", "AttributeType": "S"},
            {"AttributeName": "noted", "AttributeType": "N"},
        ],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    items = observations()
    for start in range(0, len(items), 25):
        requests: Any = [{"PutRequest": {"Item": item}} for item in items[start : start + 25]]
        client.batch_write_item(RequestItems={table: requests})
