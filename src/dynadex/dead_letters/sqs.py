"""Dead letters in an SQS queue, a message each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from dynadex.dead_letters.port import Backlog, DeadLetter, DeadLetterError, StoredLetter

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

# SQS takes and gives no more messages than this at once.
_BATCH = 10
# How long a message taken is hidden from others: longer than a batch takes to be settled.
_HIDDEN_SECONDS = 300
# Those that can be taken, and those that somebody has taken and not settled yet.
_COUNTS: Final = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
# SQS may answer an empty list although there are messages; only so many in a row mean that it is empty.
_EMPTY_ANSWERS = 2
# Whoever took a message may only give it back while it is hidden; later it is back by itself.
_BACK_ALREADY = frozenset(("MessageNotInflight", "ReceiptHandleIsInvalid"))


class DeadLetterQueue:
    """A queue by its URL."""

    def __init__(self, sqs: SQSClient, url: str) -> None:
        self.url = url
        self._sqs = sqs

    def add(self, letters: Sequence[DeadLetter]) -> None:
        for start in range(0, len(letters), _BATCH):
            entries: Any = [
                {"Id": str(position), "MessageBody": letter.to_json()}
                for position, letter in enumerate(letters[start : start + _BATCH])
            ]
            try:
                reply = self._sqs.send_message_batch(QueueUrl=self.url, Entries=entries)
            except (ClientError, BotoCoreError) as error:
                raise self._failed("dead-letter dead letters in", str(error)) from error
            failed = reply.get("Failed") or []
            if failed:
                raise self._failed("dead-letter dead letters in", f"{len(failed)} refused: {failed[0].get('Message')}")

    def batches(self) -> Iterator[list[StoredLetter]]:
        seen: set[str] = set()
        again = empty = 0
        # What was hidden for too long is given again, and hides what was not given yet.
        while empty < _EMPTY_ANSWERS and again <= len(seen):
            messages = self._receive()
            fresh = [message for message in messages if message["MessageId"] not in seen]
            seen.update(message["MessageId"] for message in fresh)
            again = 0 if fresh else again + len(messages)
            empty = 0 if messages else empty + 1
            if fresh:
                yield [StoredLetter(self._letter(message["Body"]), message["ReceiptHandle"]) for message in fresh]

    def remove(self, letters: Sequence[StoredLetter]) -> None:
        for start in range(0, len(letters), _BATCH):
            entries: Any = [
                {"Id": str(position), "ReceiptHandle": one.handle}
                for position, one in enumerate(letters[start : start + _BATCH])
            ]
            try:
                reply = self._sqs.delete_message_batch(QueueUrl=self.url, Entries=entries)
            except (ClientError, BotoCoreError) as error:
                raise self._failed("remove dead letters from", str(error)) from error
            if reply.get("Failed"):
                raise self._failed("remove dead letters from", str(reply["Failed"][0].get("Message")))

    def keep(self, letters: Sequence[StoredLetter]) -> None:
        for one in letters:
            try:
                self._sqs.change_message_visibility(QueueUrl=self.url, ReceiptHandle=one.handle, VisibilityTimeout=0)
            except (ClientError, BotoCoreError) as error:
                if isinstance(error, ClientError) and error.response["Error"]["Code"] in _BACK_ALREADY:
                    continue
                raise self._failed("put dead letters back into", str(error)) from error

    def backlog(self) -> Backlog:
        try:
            found = self._sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=_COUNTS)["Attributes"]
        except (ClientError, BotoCoreError) as error:
            raise self._failed("count the dead letters in", str(error)) from error
        return Backlog(sum(int(found[name]) for name in _COUNTS), estimated=True)

    def _receive(self) -> list[Any]:
        try:
            reply = self._sqs.receive_message(
                QueueUrl=self.url, MaxNumberOfMessages=_BATCH, WaitTimeSeconds=1, VisibilityTimeout=_HIDDEN_SECONDS
            )
        except (ClientError, BotoCoreError) as error:
            raise self._failed("read the dead letters in", str(error)) from error
        return list(reply.get("Messages", []))

    def _letter(self, body: str) -> DeadLetter:
        try:
            return DeadLetter.from_json(body)
        except ValueError as error:
            hint = "Is it the right queue? Remove the message if it is not dynadex's."
            raise DeadLetterError("read the dead letters in", self.url, str(error), hint) from error

    def _failed(self, operation: str, reason: str) -> DeadLetterError:
        hint = "Check the queue's URL, its region, and the rights of this role."
        return DeadLetterError(operation, self.url, reason, hint)
