"""Damaged titles are found as often as required, and missed at most half as often as by baselines."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from opensearchpy import OpenSearch

from tests.relevance import damage
from tests.relevance.conftest import SCALE
from tests.relevance.evaluate import SEED, Case, Engine, answers, cases, p95_ms, row
from tests.relevance.table import Line, Table

pytestmark = pytest.mark.timeout(3600)

# Required success among the first five hits; for the exact title, as the first hit.
AIMS = {
    "exact title": 0.99,
    "one typo": 0.99,
    "two typos, different words": 0.985,
    "first 60 %": 0.97,
    "first 60 %, one typo": 0.93,
    "one word dropped": 0.99,
    "other word order": 0.99,
    "articles dropped": 0.99,
    "umlauts the other way": 0.99,
    "apostrophes the other way": 0.99,
    "numbers and ampersands": 0.99,
}
_MIN_CASES = 40
# A sample of forty may miss an aim by chance; it only detects what is broken.
_PROOF_SCALE = 0.4
_SLACK = 0.0 if SCALE >= _PROOF_SCALE else 0.05


@pytest.mark.parametrize("kind", damage.KINDS)
def test_damaged_title_finds_its_song(
    kind: str, client: OpenSearch, engines: list[Engine], songs: list[dict[str, Any]], table: Table
) -> None:
    sample, left_out = cases(kind, songs, SCALE, _MIN_CASES)
    measure = "first" if kind == "exact title" else "among_five"
    rows = tuple(row(client, engine, sample) for engine in engines)
    line = Line(kind, rows, left_out, measure)
    table.lines.append(line)
    assert getattr(rows[0], measure) >= AIMS[kind] - _SLACK
    assert line.halved or SCALE < _PROOF_SCALE


def test_nonsense_finds_nothing(client: OpenSearch, engines: list[Engine], table: Table) -> None:
    random = Random(SEED)
    queries = [Case(damage.nonsense(random), "") for _ in range(max(100, round(1000 * SCALE)))]
    replies = zip(queries, answers(client, engines[0], queries), strict=True)
    with_hits = [case.typed for case, hits in replies if hits]
    table.nonsense = (len(with_hits), len(queries))
    assert not with_hits


def test_durations_of_all_engines_are_measured(
    client: OpenSearch, engines: list[Engine], songs: list[dict[str, Any]], table: Table
) -> None:
    """The durations are printed but not asserted, because the machine may be busy."""
    count = max(100, round(1000 * SCALE))
    sample = [case for kind in damage.KINDS for case in cases(kind, songs, 0, count // len(damage.KINDS))[0]]
    texts = [case.typed for case in Random(SEED).sample(sample, len(sample))]
    for engine in engines:
        p95_ms(client, engine, texts)
        table.p95_ms[engine.name] = p95_ms(client, engine, texts)
    assert set(table.p95_ms) == {engine.name for engine in engines}
