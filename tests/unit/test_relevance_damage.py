"""The generator of damaged titles is deterministic, and each kind of damage does what it describes."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.relevance import damage
from tests.relevance.damage import same
from tests.relevance.evaluate import Row, cases
from tests.relevance.table import Line, Table

TITLES = st.text(st.characters(categories=("L", "N", "P", "Zs")), min_size=1, max_size=60)
SONGS = [
    {"title": title} for title in ("The Rakes of Mallow", "The Rakes of Kildare", "Drowsy Maggie", "Drowsy", "Kyrie")
]


def _distance(first: str, second: str) -> int:
    """Return the number of edits between two texts, where a swap of neighbours is one edit."""
    table = {(i, 0): i for i in range(len(first) + 1)} | {(0, j): j for j in range(len(second) + 1)}
    for i in range(1, len(first) + 1):
        for j in range(1, len(second) + 1):
            table[i, j] = min(
                table[i - 1, j] + 1,
                table[i, j - 1] + 1,
                table[i - 1, j - 1] + (first[i - 1] != second[j - 1]),
                table[i - 2, j - 2] + 1 if i > 1 and j > 1 and first[i - 2 : i] == second[j - 2 : j][::-1] else 99,
            )
    return table[len(first), len(second)]


@given(TITLES, st.integers())
def test_typo_is_one_edit_and_two_typos_are_two(title: str, seed: int) -> None:
    once = damage.one_typo(title, Random(seed))
    assert once is None or _distance(title, once) <= 1
    twice = damage.two_typos(title, Random(seed))
    assert twice is None or _distance(title, twice) <= 2


@given(TITLES, st.integers(), st.sampled_from(sorted(damage.KINDS)))
def test_same_seed_does_the_same_damage(title: str, seed: int, kind: str) -> None:
    assert damage.KINDS[kind](title, Random(seed)) == damage.KINDS[kind](title, Random(seed))


@pytest.mark.parametrize(
    ("kind", "title", "expected"),
    [
        ("first 60 %", "The Rakes of Mallow", {"The Rakes of"}),
        ("one word dropped", "Rakes of Mallow", {"of Mallow", "Rakes Mallow", "Rakes of"}),
        ("one word dropped", "Drowsy Maggie", {None}),
        ("other word order", "Drowsy Maggie", {"Maggie Drowsy"}),
        ("other word order", "Ho ho ho", {"ho Ho ho", "ho ho Ho"}),
        ("articles dropped", "The Rakes of the Hill.", {"rakes of hill"}),
        ("articles dropped", "The A", {None}),
        ("umlauts the other way", "Maedchen", {"Mädchen", "Madchen"}),
        ("umlauts the other way", "Große Fuge", {"Grosse Fuge"}),
        ("umlauts the other way", "Neue Frauen, Quelle", {None}),
        ("apostrophes the other way", "O'Neill's", {"ONeills", "O’Neill’s"}),
        ("apostrophes the other way", "Kyrie", {None}),
        ("numbers and ampersands", "The Three Captains", {"The 3 Captains", "The III Captains"}),
        ("numbers and ampersands", "Salt Fish & Dumplins", {"Salt Fish and Dumplins"}),
        ("numbers and ampersands", "Op. 3-40", {None}),
    ],
)
def test_each_kind_of_damage_does_what_it_describes(kind: str, title: str, expected: set[str | None]) -> None:
    assert {damage.KINDS[kind](title, Random(seed)) for seed in range(60)} == expected


def test_ambiguous_titles_are_left_out() -> None:
    many = [*SONGS, *({"title": f"The {name} Maid"} for name in ("Old", "Young", "Merry", "Sad", "Tall", "Fair"))]
    sample, left_out = cases("one word dropped", many, 1.0, 1)
    assert "The Maid" not in {case.typed for case in sample}
    assert len(sample) + left_out == 8


def test_beginning_of_five_other_titles_is_left_out() -> None:
    many = [{"title": f"Der Bauer {words}"} for words in ("im Holz", "im Feld", "im Wald", "am See", "am Meer", "hier")]
    few = [{"title": f"Der {adjective} Bauer"} for adjective in ("arme", "alte", "junge", "kranke")]
    assert "Der Bauer" in {case.typed for case in cases("one word dropped", few, 1.0, 1)[0]}
    assert "Der Bauer" not in {case.typed for case in cases("one word dropped", [*many, *few], 1.0, 1)[0]}


def test_word_order_of_five_other_titles_is_left_out() -> None:
    many = [{"title": f"Ich stand auf berge{'.' * dots}"} for dots in range(5)]
    sample, left_out = cases("other word order", [*many, {"title": "Stand ich auf berge"}], 1.0, 1)
    assert "Stand ich auf berge" not in {case.title for case in sample}
    assert left_out >= 1


def test_text_equal_to_another_title_is_left_out() -> None:
    sample, _ = cases("first 60 %", [{"title": "Drowsy Mag"}, {"title": "Drowsy"}], 1.0, 1)
    assert [case.title for case in sample] == ["Drowsy"]


def test_titles_are_compared_without_punctuation() -> None:
    assert same("The Rakes of Mallow.") == same("the rakes OF mallow") != same("Rakes of Mallow")


def test_failures_are_halved_relative_to_the_better_baseline() -> None:
    def line(ours: int) -> Line:
        rows = tuple(Row(100, 0.5, (100 - missed) / 100, 0.7) for missed in (ours, 10, 20))
        return Line("one typo", rows, 3)

    assert line(5).halved
    assert not line(6).halved
    table = Table([line(5), line(6)], {"dynadex": 4.0}, (0, 100))
    assert str(table).splitlines()[-1] == (
        "relevance: 200 damaged titles, 11 missed, 20 by the better baseline of each row; failures halved in 1 of 2 "
        "rows; 0 of 100 nonsense queries found something; p95: dynadex 4.0 ms"
    )
