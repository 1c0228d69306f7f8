"""The checks of documents find invalid commands and output, and accept valid ones."""

from __future__ import annotations

import pytest
from typer import BadParameter

from tests.docs.blocks import Step, blocks_in
from tests.docs.commands import check, check_mention
from tests.docs.test_blocks import pattern

# What Typer rejects, unknown options too, has a common base that it does not export.
REJECTIONS = (AssertionError, LookupError, *BadParameter.__bases__)
DOCUMENT = """
`songs.py`:

```python
x = 1
```

1. First:

   ```console
   $ dynadex config \\
       --json   # all of it
   {"a": 1}
   $ AWS_REGION=here dynadex refill songs:sync
   dynadex: Cannot do that
   ```
"""


@pytest.mark.parametrize(
    "command",
    [
        "dynadex refil songs:sync",
        "dynadex refill",
        "dynadex refill songs:sync --segment 8",
        "dynadex refill songs:sync --segments many",
        "dynadex local up --attach",
        "dynadex --versions",
        "make demos",
        'make test ARGS="tests/no-such-folder"',
        "make demo SONGS=5",
        "pip install 'dynadex[all]'",
        "aws dynamodb put-items --table-name songs",
        "aws dynamodb put-item --table-name songs",
        "aws dynamodb put-item --table-name songs --item {} --quickly",
        "npx aws-cdk@3 bootstrap",
        "git tagg v0.2.0",
        "git tag 0.2.0",
        "git push origin",
        "gh attest verify dynadex.whl",
        ".venv/bin/python -m pytest tests/no-such-folder",
        "dynadexx refill songs:sync",
    ],
)
def test_a_command_that_would_be_rejected_is_found(command: str) -> None:
    with pytest.raises(REJECTIONS):
        check(command)


@pytest.mark.parametrize("mention", ["dynadex refil", "dynadex refill --segment 8", "dynadex local upp", "make demos"])
def test_so_is_one_within_a_sentence(mention: str) -> None:
    with pytest.raises((AssertionError, LookupError)):
        check_mention(mention)


def test_a_command_may_be_mentioned_without_its_arguments() -> None:
    check_mention("dynadex refill --resume")
    check_mention("aws dynamodb export-table-to-point-in-time")


def test_blocks_know_their_place_and_their_file() -> None:
    python, console = blocks_in(DOCUMENT, "a.md")
    assert (python.place, python.saved_as, python.text) == ("a.md:4", "songs.py", "x = 1")
    assert (console.place, console.saved_as) == ("a.md:10", None)
    first, second = console.steps()
    assert (first, first.known_as) == (Step("dynadex config     --json", ('{"a": 1}',)), first.command)
    assert (second.program, second.fails, second.known_as) == ("dynadex", True, "dynadex: Cannot do that")


@pytest.mark.parametrize(
    ("shown", "told", "same"),
    [
        ("4,083 items, 1 left", "17 items, 1,000 left", True),
        ("created lessons-20261124054500", "created lessons-20270101000000", True),
        ("Cannot read arn:...: it is stale", "Cannot read arn:aws:x: it is stale", True),
        ("4,083 items", "4,083 documents", False),
        ("done.", "done!", False),
        ("done", "done. Or nearly", False),
    ],
)
def test_figures_may_differ_and_words_may_not(shown: str, told: str, same: bool) -> None:
    assert bool(pattern(shown).fullmatch(told)) is same
