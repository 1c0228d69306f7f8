"""Executable parts of the documents: fenced blocks, and the commands of a console with their output."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
DOCUMENTS: Final = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
# Its blocks show the syntax of commands, not calls. Another test compares the file with the commands.
REFERENCE: Final = "docs/cli.md"
_FENCE = re.compile(
    r"^(?P<margin> *)```(?P<language>\S*)[^\n]*\n(?P<text>.*?)^(?P=margin)``` *$", re.MULTILINE | re.DOTALL
)
_SAVED_AS = re.compile(r"`(\w+\.py)`:\s*$")
_PROMPT = "$ "


@dataclass(frozen=True, slots=True)
class Step:
    """A command, and the lines that are shown as its output."""

    command: str
    shown: tuple[str, ...]

    @property
    def known_as(self) -> str:
        """Name in the exceptions: the expected error, or the command."""
        return self.shown[0] if self.fails else self.command

    @property
    def fails(self) -> bool:
        """Whether the document shows an error."""
        return bool(self.shown) and self.shown[0].startswith("dynadex: Cannot ")

    @property
    def program(self) -> str:
        """First word that is not an assignment of a variable."""
        return next(word for word in self.command.split() if "=" not in word)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block. ``saved_as``: the file with this content, if the line before ends in `` `songs.py`: ``."""

    document: str
    line: int
    language: str
    text: str
    saved_as: str | None

    @property
    def first_line(self) -> str:
        return self.text.split("\n", 1)[0]

    @property
    def place(self) -> str:
        return f"{self.document}:{self.line}"

    def steps(self) -> list[Step]:
        """Return the commands in order. A backslash at the end of a line continues the command."""
        steps: list[Step] = []
        for line in self.text.replace("\\\n", "").splitlines():
            if line.startswith(_PROMPT):
                steps.append(Step(line.removeprefix(_PROMPT).split("  #")[0].rstrip(), ()))
            else:
                assert steps, f"{self.place}: output before a command"
                steps[-1] = Step(steps[-1].command, (*steps[-1].shown, line))
        return steps


def blocks_of(path: Path) -> list[Block]:
    """Return every fenced block of a document."""
    return list(blocks_in(path.read_text(encoding="utf-8"), str(path.relative_to(ROOT))))


def blocks_in(text: str, document: str) -> Iterator[Block]:
    """Yield every fenced block of a text."""
    for match in _FENCE.finditer(text):
        saved_as = _SAVED_AS.search(text[: match.start()].rstrip())
        yield Block(
            document,
            text.count("\n", 0, match.start()) + 1,
            match["language"],
            textwrap.dedent(match["text"]).rstrip("\n"),
            saved_as[1] if saved_as else None,
        )


def all_blocks() -> list[Block]:
    """Return the blocks of all documents except the generated reference."""
    return [block for path in DOCUMENTS for block in blocks_of(path) if block.document != REFERENCE]


def inline_code(path: Path) -> list[str]:
    """Return the inline code outside fenced blocks."""
    text = _FENCE.sub("", path.read_text(encoding="utf-8"))
    return [" ".join(code.split()) for code in re.findall(r"(?<!`)`([^`]+)`(?!`)", text)]
