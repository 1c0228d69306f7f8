"""Dead letters in a file: no letter is lost after a killed writer, or with any characters in a key."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from dynadex.dead_letters.file import DeadLetterFile
from dynadex.dead_letters.port import Backlog, DeadLetter, DeadLetterError

# Characters that XML, and therefore SQS, allows.
SENDABLE = re.compile("[\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*")


def letter(identity: str, reason: str = "rejected") -> DeadLetter:
    return DeadLetter("songs-1", identity, {"id": {"S": identity}}, reason, "1" * 21, "2026-01-01T00:00:00Z")


def dead_lettered(file: DeadLetterFile) -> list[DeadLetter]:
    return [stored.letter for batch in file.batches() for stored in batch]


def test_partial_line_of_a_killed_writer_does_not_swallow_later_letters(tmp_path: Path) -> None:
    file = DeadLetterFile(tmp_path / "letters.jsonl")
    file.add([letter("first")])
    with file.path.open("a", encoding="utf-8") as torn:
        torn.write(letter("é torn").to_json()[:60])
    assert dead_lettered(file) == [letter("first")]
    file.add([letter("é torn"), letter("last")])
    assert dead_lettered(file) == [letter("first"), letter("é torn"), letter("last")]


def test_reading_a_missing_file_creates_no_folder(tmp_path: Path) -> None:
    file = DeadLetterFile(tmp_path / "mistyped" / "letters.jsonl")
    assert dead_lettered(file) == []
    file.remove([])
    assert file.backlog() == Backlog(0)
    assert list(tmp_path.iterdir()) == []


def test_file_with_only_a_partial_line_is_empty(tmp_path: Path) -> None:
    file = DeadLetterFile(tmp_path / "letters.jsonl")
    file.path.write_bytes("é".encode()[:1])
    assert dead_lettered(file) == []
    file.add([letter("first")])
    assert dead_lettered(file) == [letter("first")]


def test_complete_last_line_without_a_newline_is_kept(tmp_path: Path) -> None:
    file = DeadLetterFile(tmp_path / "letters.jsonl")
    file.path.write_text(f"{letter('first').to_json()}\n{letter('second').to_json()}", encoding="utf-8")
    file.add([letter("third")])
    assert dead_lettered(file) == [letter("first"), letter("second"), letter("third")]


@pytest.mark.parametrize("identity", ["\ud800", "a\uffff", "\ufffe", "\0", "\u2028\n\r\u0085", "🎻", "\\ud800"])
def test_letter_with_any_characters_is_read_back_unchanged(tmp_path: Path, identity: str) -> None:
    whole = letter(identity, reason=f"rejected {identity}")
    assert SENDABLE.fullmatch(whole.to_json())
    assert json.loads(whole.to_json())["id"] == identity
    file = DeadLetterFile(tmp_path / "letters.jsonl")
    file.add([whole, letter("last")])
    assert dead_lettered(file) == [whole, letter("last")]


def test_counting_letters_creates_no_files(tmp_path: Path) -> None:
    file = DeadLetterFile(tmp_path / "folder" / "letters.jsonl")
    assert file.backlog() == Backlog(0)
    assert list(tmp_path.iterdir()) == []
    file.add([letter("é first"), letter("second")])
    assert file.backlog() == Backlog(2, letter("é first"))
    [first, _] = next(file.batches())
    file.remove([first])
    assert file.backlog() == Backlog(1, letter("second"))


@pytest.mark.parametrize(
    ("rest", "count"), [(b'{"index": "\xc3', 1), (letter("second").to_json().encode(), 2), (b"\n\n", 1)]
)
def test_partial_line_is_not_counted_and_a_complete_one_without_a_newline_is(
    tmp_path: Path, rest: bytes, count: int
) -> None:
    file = DeadLetterFile(tmp_path / "letters.jsonl")
    content = letter("first").to_json().encode() + b"\n" + rest
    file.path.write_bytes(content)
    assert file.backlog() == Backlog(count, letter("first"))
    assert file.path.read_bytes() == content


def test_unreadable_letters_raise_when_counted(tmp_path: Path) -> None:
    with pytest.raises(DeadLetterError, match=r"Cannot read the dead letters in .*: Is a directory"):
        DeadLetterFile(tmp_path).backlog()
    (tmp_path / "other").write_text("no letter\n")
    with pytest.raises(DeadLetterError, match="Fix or remove the line"):
        DeadLetterFile(tmp_path / "other").backlog()


def test_file_that_is_not_utf8_raises_dead_letter_error(tmp_path: Path) -> None:
    path = tmp_path / "dead-letters.jsonl"
    path.write_bytes(b"\xff\xfe\n")
    with pytest.raises(DeadLetterError, match="read the dead letters in"):
        list(DeadLetterFile(path).batches())


def test_invalid_line_is_named_by_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "dead-letters.jsonl"
    path.write_text("[1]\n")
    with pytest.raises(DeadLetterError, match=r"the line that begins with '\[1\]' is not a dead letter"):
        list(DeadLetterFile(path).batches())
