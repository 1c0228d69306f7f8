"""Known-item search: a title is damaged, and the song looked for by what is left of it, with each way to search."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from opensearchpy import OpenSearch

from tests.relevance import damage
from tests.relevance.damage import same

Song = Mapping[str, Any]
Body = Callable[[str], dict[str, Any]]

SEED = 20261124
DEPTH = 10
_AT_ONCE = 200
# A damaged title that fits so many other songs just as well would need luck to be found among the first five.
_TOO_MANY = 5


@dataclass(frozen=True, slots=True)
class Case:
    """What is typed, and the title that is looked for."""

    typed: str
    title: str


@dataclass(frozen=True, slots=True)
class Engine:
    """A way to search: an index, and the body for a text."""

    name: str
    index: str
    body: Body


@dataclass(frozen=True, slots=True)
class Row:
    """How often the title was first, was among the first five, and the mean of one over its rank (0 beyond ten)."""

    cases: int
    first: float
    among_five: float
    mrr: float


def cases(kind: str, songs: Sequence[Song], share: float, least: int) -> tuple[list[Case], int]:
    """A sample of damaged titles, always the same, and how many were left out of it as nobody could tell them.

    Left out is what reads as the title of another song, or fits the titles of five others as damage.outcomes() tells.
    """
    random = Random(f"{SEED} {kind}")
    affected = [song for song in songs if damage.applies(kind, song)]
    most = max(least, round(len(affected) * share))
    titles = {same(song["title"]) for song in songs}
    twins = _twins(kind, affected)
    found: list[Case] = []
    left_out = 0
    for song in random.sample(affected, len(affected)):
        if len(found) + left_out == most:
            break
        title = song["title"]
        typed = damage.KINDS[kind](title, random)
        if typed is None:
            continue
        read = damage.reading(kind, typed)
        other_title = same(typed) in titles and same(typed) != same(title)
        if other_title or twins[read] - twins[read, same(title)] >= _TOO_MANY:
            left_out += 1
        else:
            found.append(Case(typed, title))
    return found, left_out


def _twins(kind: str, songs: Iterable[Song]) -> Counter[Any]:
    """How many songs could end up as a text: all of them, and those with a certain title."""
    count: Counter[Any] = Counter()
    for song in songs:
        for text in {damage.reading(kind, one) for one in damage.outcomes(kind, song["title"])}:
            count[text] += 1
            count[text, same(song["title"])] += 1
    return count


def row(client: OpenSearch, engine: Engine, looked_for: Sequence[Case]) -> Row:
    """One engine's success with these cases."""
    ranks = [
        _rank(case.title, hits) for case, hits in zip(looked_for, answers(client, engine, looked_for), strict=True)
    ]
    count = len(ranks)
    return Row(
        count,
        sum(rank == 1 for rank in ranks) / count,
        sum(0 < rank <= 5 for rank in ranks) / count,
        sum(1 / rank for rank in ranks if rank) / count,
    )


def answers(client: OpenSearch, engine: Engine, looked_for: Sequence[Case]) -> Iterator[list[str]]:
    """The titles of the first hits of each case."""
    for start in range(0, len(looked_for), _AT_ONCE):
        lines: list[dict[str, Any]] = []
        for case in looked_for[start : start + _AT_ONCE]:
            lines += [
                {"index": engine.index},
                {**_ranked(engine.body(case.typed)), "size": DEPTH, "_source": ["title"]},
            ]
        replies = client.msearch(body=lines, params={"request_timeout": 300})["responses"]
        for reply in replies:
            assert "error" not in reply, reply["error"]
            yield [hit["_source"]["title"] for hit in reply["hits"]["hits"]]


def p95_ms(client: OpenSearch, engine: Engine, texts: Sequence[str]) -> float:
    """Milliseconds of one search with all it brings along, one client, that 95 of 100 searches do not exceed."""
    taken = []
    for text in texts:
        before = time.perf_counter()
        client.search(index=engine.index, body=engine.body(text))
        taken.append((time.perf_counter() - before) * 1000)
    return sorted(taken)[int(len(taken) * 0.95)]


def _ranked(body: Mapping[str, Any]) -> dict[str, Any]:
    """Only what decides the order of hits."""
    return {name: body[name] for name in ("query", "sort") if name in body}


def _rank(title: str, hits: Sequence[str]) -> int:
    return next((place for place, hit in enumerate(hits, 1) if same(hit) == same(title)), 0)
