"""Redrive from an SQS queue that takes longer than its visibility timeout."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any, cast

from botocore.exceptions import ClientError

from dynadex.dead_letters.port import DeadLetter
from dynadex.dead_letters.sqs import DeadLetterQueue
from dynadex.maintenance.redrive import redrive
from tests.unit.verify_stage import Stage


class Queue:
    def __init__(self, stage: Stage) -> None:
        self.clock = stage.clock
        self.messages: dict[str, list[Any]] = {}
        self.handles = 0

    def send_message_batch(self, **request: Any) -> Any:
        for entry in request["Entries"]:
            self.messages[f"m{len(self.messages)}"] = [entry["MessageBody"], 0.0, ""]
        return {}

    def receive_message(self, **request: Any) -> Any:
        now = self.clock.monotonic()
        taken: list[Any] = []
        for name, message in self.messages.items():
            if message[1] <= now and len(taken) < 10:
                self.handles += 1
                message[1], message[2] = now + request["VisibilityTimeout"], f"h{self.handles}"
                taken.append({"MessageId": name, "Body": message[0], "ReceiptHandle": message[2]})
        return {"Messages": taken}

    def delete_message_batch(self, **request: Any) -> Any:
        removed = {entry["ReceiptHandle"] for entry in request["Entries"]}
        self.messages = {name: message for name, message in self.messages.items() if message[2] not in removed}
        return {}

    def change_message_visibility(self, **request: Any) -> Any:
        message = next((message for message in self.messages.values() if message[2] == request["ReceiptHandle"]), None)
        if message is None or message[1] <= self.clock.monotonic():
            raise ClientError(
                {"Error": {"Code": "MessageNotInflight", "Message": "not in flight"}}, "ChangeMessageVisibility"
            )
        message[1] = 0.0


def test_redrive_longer_than_the_visibility_timeout_completes() -> None:
    stage = Stage()
    queue = DeadLetterQueue(cast(Any, Queue(stage)), "https://sqs/queue")
    for number in range(100):
        key = {"id": {"S": f"song-{number}"}}
        stage.table.put({**key, **({"bars": {"S": "many"}} if number < 20 else {})})
        queue.add([DeadLetter("", f"song-{number}", key, "rejected", None, "2026-11-24T00:00:00.000+00:00")])
    runtime = replace(stage.runtime(), dead_letters=queue)
    # The cluster is busy: a batch takes 40 s.
    done = redrive(runtime, threading.Event(), lambda _: stage.clock.advance(40.0))
    assert (done.settled, len(done.failing)) == (80, 20)
