"""Writes an export as DynamoDB does, for tests that load it."""

from __future__ import annotations

import gzip
import json
from base64 import b64encode
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.process.scene import Scene

EXPORT_ID = "01795499100000-a1b2c3d4"


def write_export(folder: Path, table: str, items: Sequence[Any], export_time_us: int, files: int = 3) -> Path:
    """Write items (typed JSON) as a full export below ``folder``; return the folder of its manifest."""
    export = folder / "AWSDynamoDB" / EXPORT_ID
    (export / "data").mkdir(parents=True)
    listed = []
    for number in range(files):
        part = items[number::files]
        name = f"{number:026d}.json.gz"
        lines = [json.dumps({"Item": item}, default=_base64) + "\n" for item in part]
        (export / "data" / name).write_bytes(gzip.compress("".join(lines).encode()))
        listed.append({"itemCount": len(part), "dataFileS3Key": f"AWSDynamoDB/{EXPORT_ID}/data/{name}"})
    time = datetime.fromtimestamp(export_time_us / 1e6, UTC).isoformat(timespec="milliseconds")
    summary = {
        "version": "2020-06-30",
        "exportArn": f"arn:aws:dynamodb:us-east-1:000000000000:table/{table}/export/{EXPORT_ID}",
        "tableArn": f"arn:aws:dynamodb:us-east-1:000000000000:table/{table}",
        "exportTime": time.replace("+00:00", "Z"),
        "s3Bucket": "exports",
        "manifestFilesS3Key": f"AWSDynamoDB/{EXPORT_ID}/manifest-files.json",
        "itemCount": len(items),
        "outputFormat": "DYNAMODB_JSON",
        "exportType": "FULL_EXPORT",
    }
    (export / "manifest-files.json").write_text("".join(json.dumps(file) + "\n" for file in listed))
    (export / "manifest-summary.json").write_text(json.dumps(summary))
    return export


def change(
    scene: Scene, songs: Sequence[Any], deleted: Iterable[int], changed: Iterable[int], back: Iterable[int]
) -> None:
    """Change a table after its export: delete, change, and delete and reinsert songs, and add one."""
    back = list(back)
    for n in (*deleted, *back):
        scene.delete(songs[n]["id"])
    for n in changed:
        scene.put({**songs[n], "title": f"Changed {n}"})
    for n in back:
        scene.put({**songs[n], "title": f"Back {n}"})
    scene.put({"id": "new", "title": "New"})


def _base64(value: Any) -> str:
    return b64encode(value).decode()
