"""What the documents hold that can be run: fenced blocks, and the commands of a console with what they print."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
DOCUMENTS: Final = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
# Its blocks show how a command is called, not a call; the file itself is compared with the commands.
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
        """Its name among the exceptions: the error that it is to end with, or the command."""
        return self.shown[0] if self.fails else self.command

    @property
    def fails(self) -> bool:
        """Whether it is shown to end with an error."""
        return bool(self.shown) and self.shown[0].startswith("dynadex: Cannot ")

    @property
    def program(self) -> str:
        """Its first word that is no variable."""
        return next(word for word in self.command.split() if "=" not in word)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block. ``saved_as``: the file whose content it is, if the line before it ends so: `` `songs.py`: ``."""

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
        """The commands, in order. A line that ends with a backslash goes on."""
        steps: list[Step] = []
        for line in self.text.replace("\\\n", "").splitlines():
            if line.startswith(_PROMPT):
                steps.append(Step(line.removeprefix(_PROMPT).split("  #")[0].rstrip(), ()))
            else:
                assert steps, f"{self.place}: output before a command"
                steps[-1] = Step(steps[-1].command, (*steps[-1].shown, line))
        return steps


def blocks_of(path: Path) -> list[Block]:
    """Every fenced block of a document."""
    return list(blocks_in(path.read_text(encoding="utf-8"), str(path.relative_to(ROOT))))


def blocks_in(text: str, document: str) -> Iterator[Block]:
    """Every fenced block of a text."""
    for found in _FENCE.finditer(text):
        saved_as = _SAVED_AS.search(text[: found.start()].rstrip())
        yield Block(
            document,
            text.count("\n", 0, found.start()) + 1,
            found["language"],
            textwrap.dedent(found["text"]).rstrip("\n"),
            saved_as[1] if saved_as else None,
        )


def all_blocks() -> list[Block]:
    """Of all documents but the generated reference."""
    return [block for path in DOCUMENTS for block in blocks_of(path) if block.document != REFERENCE]


def inline_code(path: Path) -> list[str]:
    """What stands between backticks outside of fenced blocks."""
    text = _FENCE.sub("", path.read_text(encoding="utf-8"))
    return [" ".join(one.split()) for one in re.findall(r"(?<!`)`([^`]+)`(?!`)", text)]
