"""Dead letters in an SQS queue, one message each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from dynadex.dead_letters.port import Backlog, DeadLetter, DeadLetterError, StoredLetter

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

# Messages in one request, at most: a limit of SQS.
_BATCH = 10
# Visibility timeout of a received message: longer than a batch takes to be settled.
_HIDDEN_SECONDS = 300
# Visible messages, and those that a reader has received and not settled yet.
_COUNTS: Final = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
# SQS may return no message although there are some; this many empty replies in a row mean that the queue is empty.
_EMPTY_REPLIES = 2
# Errors of releasing a message that is visible again already, because its visibility timeout has passed.
_VISIBLE_AGAIN = frozenset(("MessageNotInflight", "ReceiptHandleIsInvalid"))


class DeadLetterQueue:
    """Dead letters in the SQS queue at ``url``."""

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
                raise self._failed("write dead letters to", str(error)) from error
            failed = reply.get("Failed") or []
            if failed:
                raise self._failed(
                    "write dead letters to", f"SQS rejected {len(failed)} messages: {failed[0].get('Message')}"
                )

    def batches(self) -> Iterator[list[StoredLetter]]:
        seen: set[str] = set()
        repeated = empty = 0
        # A message whose visibility timeout has passed is received again, ahead of messages not received yet.
        while empty < _EMPTY_REPLIES and repeated <= len(seen):
            messages = self._receive()
            fresh = [message for message in messages if message["MessageId"] not in seen]
            seen.update(message["MessageId"] for message in fresh)
            repeated = 0 if fresh else repeated + len(messages)
            empty = 0 if messages else empty + 1
            if fresh:
                yield [StoredLetter(self._letter(message["Body"]), message["ReceiptHandle"]) for message in fresh]

    def remove(self, letters: Sequence[StoredLetter]) -> None:
        for start in range(0, len(letters), _BATCH):
            entries: Any = [
                {"Id": str(position), "ReceiptHandle": letter.handle}
                for position, letter in enumerate(letters[start : start + _BATCH])
            ]
            try:
                reply = self._sqs.delete_message_batch(QueueUrl=self.url, Entries=entries)
            except (ClientError, BotoCoreError) as error:
                raise self._failed("remove dead letters from", str(error)) from error
            if reply.get("Failed"):
                raise self._failed("remove dead letters from", str(reply["Failed"][0].get("Message")))

    def release(self, letters: Sequence[StoredLetter]) -> None:
        for letter in letters:
            try:
                self._sqs.change_message_visibility(QueueUrl=self.url, ReceiptHandle=letter.handle, VisibilityTimeout=0)
            except (ClientError, BotoCoreError) as error:
                if isinstance(error, ClientError) and error.response["Error"]["Code"] in _VISIBLE_AGAIN:
                    continue
                raise self._failed("release dead letters in", str(error)) from error

    def backlog(self) -> Backlog:
        try:
            attributes = self._sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=_COUNTS)["Attributes"]
        except (ClientError, BotoCoreError) as error:
            raise self._failed("count the dead letters in", str(error)) from error
        return Backlog(sum(int(attributes[name]) for name in _COUNTS), estimated=True)

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
            hint = (
                "Check that DYNADEX_DEAD_LETTERS names the right queue, and remove messages that dynadex did not send."
            )
            raise DeadLetterError("read the dead letters in", self.url, str(error), hint) from error

    def _failed(self, operation: str, reason: str) -> DeadLetterError:
        hint = "Check the URL and region of the queue, and the permissions of this role."
        return DeadLetterError(operation, self.url, reason, hint)
