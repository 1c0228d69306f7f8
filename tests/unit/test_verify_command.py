"""The output of `dynadex verify`."""

from __future__ import annotations

from collections import Counter

from dynadex.cli.verify import Examples, result_lines
from dynadex.verify.result import Difference, Kind, VerifyResult

COMMAND = "dynadex verify lessons:sync --repair"


def lines(result: VerifyResult, *differences: Difference, repair: bool = False) -> list[str]:
    examples = Examples()
    for difference in differences:
        examples.add(difference)
    return result_lines(result, examples, COMMAND, repair=repair)


def test_equal_index() -> None:
    assert lines(VerifyResult("lessons-1", items=13925, documents=13925)) == [
        "kind       found  remaining",
        "missing    0      0",
        "orphan     0      0",
        "different  0      0",
        "lagging    0      0",
        "",
        "index lessons-1 equals its table: 13,925 items, 13,925 documents.",
    ]


def test_example_is_one_line_regardless_of_its_id() -> None:
    differences = Counter({Kind.ORPHAN: 1, Kind.DIFFERENT: 1})
    printed = lines(
        VerifyResult("lessons-1", items=2, documents=2, differences=differences),
        Difference(Kind.ORPHAN, "two\nlines\x1b[2J"),
        Difference(Kind.DIFFERENT, "a", {"id": {"S": "a"}}, ("lesson.tempo", "title")),
    )
    assert printed[6:8] == [
        'orphan     "two\\nlines\\u001b[2J"',
        "different  a                      lesson.tempo, title",
    ]
    assert printed[-1].endswith(f"2 differences; 2 items, 2 documents. To repair them: `{COMMAND}`.")


def test_at_most_20_examples_of_each_kind_are_printed() -> None:
    many = [Difference(Kind.MISSING, f"song-{number}", {}) for number in range(50)]
    printed = lines(VerifyResult("lessons-1", differences=Counter({Kind.MISSING: 50})), *many)
    assert sum(line.startswith("missing ") for line in printed) == 1 + 20
    assert printed[1] == "missing    50     50"


def test_keys_that_were_not_compared_are_counted() -> None:
    printed = lines(VerifyResult("lessons-1", 5.0, unindexable=1, not_indexed=2, in_motion=3, unchecked=4))
    assert [line.split()[0] for line in printed[6:-1]] == ["1", "2", "3", "4"]
    assert printed[-1] == "index lessons-1 equals its table: a sample of 5 %: 0 items, 0 documents."


def test_unrepaired_difference_is_printed_with_its_reason() -> None:
    differences = Counter({Kind.ORPHAN: 2})
    printed = lines(
        VerifyResult("lessons-1", differences=differences, repaired=Counter({Kind.ORPHAN: 1})),
        Difference(Kind.ORPHAN, "a", repaired=True),
        Difference(Kind.ORPHAN, "b", repaired=False, note="left"),
        repair=True,
    )
    assert [line.split() for line in printed[6:8]] == [
        ["orphan", "a", "repaired"],
        ["orphan", "b", "not", "repaired:", "left"],
    ]
    assert "1 difference; " in printed[-1]
    assert f"then run `{COMMAND}` again" in printed[-1]
    assert (
        "(repaired: 2 differences)."
        in lines(VerifyResult("i", differences=differences, repaired=differences), repair=True)[-1]
    )


def test_lagging_index_is_printed_with_the_command_of_the_worker() -> None:
    assert (
        "which a worker applies: `dynadex run`"
        in lines(VerifyResult("lessons-1", differences=Counter({Kind.LAGGING: 1})))[-1]
    )
