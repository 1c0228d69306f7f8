"""Known-item search: each engine searches for songs by their damaged titles."""

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
from tests.waiting import HANG_SECONDS

Song = Mapping[str, Any]
Body = Callable[[str], dict[str, Any]]

SEED = 20261124
DEPTH = 10
_BATCH = 200
# A damaged title that fits this many other songs equally well would be among the first five hits only by chance.
_MIN_TWINS = 5


@dataclass(frozen=True, slots=True)
class Case:
    """A typed text, and the title to find."""

    typed: str
    title: str


@dataclass(frozen=True, slots=True)
class Engine:
    """A way to search: an index, and a function that returns the body for a text."""

    name: str
    index: str
    body: Body


@dataclass(frozen=True, slots=True)
class Row:
    """The shares of cases with the title first and among the first five, and the mean reciprocal rank (0 after ten)."""

    cases: int
    first: float
    among_five: float
    mrr: float


def cases(kind: str, songs: Sequence[Song], share: float, min_cases: int) -> tuple[list[Case], int]:
    """Return a deterministic sample of damaged titles, and the number of ambiguous ones left out.

    A damaged title is ambiguous if it is the title of another song, or fits the titles of five others according to
    damage.outcomes().
    """
    random = Random(f"{SEED} {kind}")
    affected = [song for song in songs if damage.applies(kind, song)]
    max_cases = max(min_cases, round(len(affected) * share))
    titles = {same(song["title"]) for song in songs}
    twins = _twins(kind, affected)
    sample: list[Case] = []
    left_out = 0
    for song in random.sample(affected, len(affected)):
        if len(sample) + left_out == max_cases:
            break
        title = song["title"]
        typed = damage.KINDS[kind](title, random)
        if typed is None:
            continue
        read = damage.reading(kind, typed)
        other_title = same(typed) in titles and same(typed) != same(title)
        if other_title or twins[read] - twins[read, same(title)] >= _MIN_TWINS:
            left_out += 1
        else:
            sample.append(Case(typed, title))
    return sample, left_out


def _twins(kind: str, songs: Iterable[Song]) -> Counter[Any]:
    """Return the number of songs that damage may turn into a text: all of them, and those with a given title."""
    count: Counter[Any] = Counter()
    for song in songs:
        for text in {damage.reading(kind, outcome) for outcome in damage.outcomes(kind, song["title"])}:
            count[text] += 1
            count[text, same(song["title"])] += 1
    return count


def row(client: OpenSearch, engine: Engine, sample: Sequence[Case]) -> Row:
    """Return an engine's success with these cases."""
    ranks = [_rank(case.title, hits) for case, hits in zip(sample, answers(client, engine, sample), strict=True)]
    count = len(ranks)
    return Row(
        count,
        sum(rank == 1 for rank in ranks) / count,
        sum(0 < rank <= 5 for rank in ranks) / count,
        sum(1 / rank for rank in ranks if rank) / count,
    )


def answers(client: OpenSearch, engine: Engine, sample: Sequence[Case]) -> Iterator[list[str]]:
    """Yield the titles of the first hits of each case."""
    for start in range(0, len(sample), _BATCH):
        lines: list[dict[str, Any]] = []
        for case in sample[start : start + _BATCH]:
            lines += [
                {"index": engine.index},
                {**_ranked(engine.body(case.typed)), "size": DEPTH, "_source": ["title"]},
            ]
        replies = client.msearch(body=lines, params={"request_timeout": HANG_SECONDS})["responses"]
        for reply in replies:
            assert "error" not in reply, reply["error"]
            yield [hit["_source"]["title"] for hit in reply["hits"]["hits"]]


def p95_ms(client: OpenSearch, engine: Engine, texts: Sequence[str]) -> float:
    """Return the 95th percentile of the milliseconds of a complete search, with one client."""
    durations = []
    for text in texts:
        started = time.perf_counter()
        client.search(index=engine.index, body=engine.body(text))
        durations.append((time.perf_counter() - started) * 1000)
    return sorted(durations)[int(len(durations) * 0.95)]


def _ranked(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parts of a body that determine the order of hits."""
    return {name: body[name] for name in ("query", "sort") if name in body}


def _rank(title: str, hits: Sequence[str]) -> int:
    return next((place for place, hit in enumerate(hits, 1) if same(hit) == same(title)), 0)
