"""What `dynadex verify` prints."""

from __future__ import annotations

from collections import Counter

from dynadex.cli.verify import Examples, told
from dynadex.verify.verify import Difference, Kind, VerifyResult

COMMAND = "dynadex verify lessons:sync --repair"


def lines(verified: VerifyResult, *differences: Difference, repair: bool = False) -> list[str]:
    examples = Examples()
    for one in differences:
        examples.add(one)
    return told(verified, examples, COMMAND, repair=repair)


def test_equal() -> None:
    assert lines(VerifyResult("lessons-1", items=13925, documents=13925)) == [
        "kind       found  remaining",
        "missing    0      0",
        "orphan     0      0",
        "different  0      0",
        "lagging    0      0",
        "",
        "index lessons-1 equals its table: 13,925 items, 13,925 documents.",
    ]


def test_each_example_is_one_line_whatever_its_id_holds() -> None:
    found = Counter({Kind.ORPHAN: 1, Kind.DIFFERENT: 1})
    told = lines(
        VerifyResult("lessons-1", items=2, documents=2, differences=found),
        Difference(Kind.ORPHAN, "two\nlines\x1b[2J"),
        Difference(Kind.DIFFERENT, "a", {"id": {"S": "a"}}, ("lesson.tempo", "title")),
    )
    assert told[6:8] == ['orphan     "two\\nlines\\u001b[2J"', "different  a                      lesson.tempo, title"]
    assert told[-1].endswith(f"2 differences; 2 items, 2 documents. To repair them: `{COMMAND}`.")


def test_twenty_examples_of_a_kind_are_enough() -> None:
    many = [Difference(Kind.MISSING, f"song-{number}", {}) for number in range(50)]
    told = lines(VerifyResult("lessons-1", differences=Counter({Kind.MISSING: 50})), *many)
    assert sum(line.startswith("missing ") for line in told) == 1 + 20
    assert told[1] == "missing    50     50"


def test_what_is_neither_equal_nor_different_is_said() -> None:
    told = lines(VerifyResult("lessons-1", 5.0, unindexable=1, not_indexed=2, in_motion=3, unchecked=4))
    assert [line.split()[0] for line in told[6:-1]] == ["1", "2", "3", "4"]
    assert told[-1] == "index lessons-1 equals its table: a sample of 5 %: 0 items, 0 documents."


def test_what_a_repair_left_is_told_with_its_reason() -> None:
    found = Counter({Kind.ORPHAN: 2})
    told = lines(
        VerifyResult("lessons-1", differences=found, repaired=Counter({Kind.ORPHAN: 1})),
        Difference(Kind.ORPHAN, "a", repaired=True),
        Difference(Kind.ORPHAN, "b", repaired=False, note="left"),
        repair=True,
    )
    assert [line.split() for line in told[6:8]] == [
        ["orphan", "a", "repaired"],
        ["orphan", "b", "not", "repaired:", "left"],
    ]
    assert "1 difference; " in told[-1]
    assert f"then repeat `{COMMAND}`" in told[-1]
    assert "(repaired: 2 differences)." in lines(VerifyResult("i", differences=found, repaired=found), repair=True)[-1]


def test_where_the_index_lags_it_says_what_applies_the_stream() -> None:
    assert "`dynadex run` applies them" in lines(VerifyResult("lessons-1", differences=Counter({Kind.LAGGING: 1})))[-1]
