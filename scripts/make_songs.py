"""Generate src/dynadex/demo/songs.jsonl.gz, the lessons of the demo, from a file of tunes.

    python scripts/make_songs.py TUNES.jsonl

The source has one tune a line: {"id", "title", "collection", "note_count", ...}. Only the English-titled collections
are used. Derived fields:

- ``form``: as in the source; otherwise from the title ("... -- Reel", "Lamentation of ..."); otherwise, in O'Neill's
  Music of Ireland, from the chapter that contains the tune's number. Other tunes have no form.
- ``key``: the major key of the key signature; a tune in E minor has G.
- ``metre``: left out where the source mistook an upbeat for a bar ("1/8").
- ``composer``: only where the source names one, rather than an informant, publisher or country.
- ``difficulty``: 1 to 5, from the number of notes times the compass in octaves.

The same source produces the same bytes.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

OUT = Path(__file__).parents[1] / "src/dynadex/demo/songs.jsonl.gz"
ONEILL, RYAN, AIRD = "O'Neill's Music of Ireland", "Ryan's Mammoth Collection", "Aird's Airs"
COLLECTIONS = (ONEILL, RYAN, AIRD, "Folk miscellany")
# The tune in the README comes first, so that it is loaded even with few songs.
FIRST = "The Rakes of Mallow"

METRES = frozenset(["2/2", "2/4", "3/4", "4/4", "3/8", "6/8", "9/8", "12/8", "3/2", "6/4", "9/4"])
# O'Neill's chapters: the last number, and the form of its tunes (None: mixed).
CHAPTERS = (
    (625, "Air"), (700, None), (1115, "Jig"), (1175, "Slip Jig"), (1555, "Reel"), (1780, "Hornpipe"),
    (1800, "Long Dance"), (1850, None),
)  # fmt: skip
FORMS = {
    "slip ?jig": "Slip Jig", "jigg?": "Jig", "reel": "Reel", "hornpipe": "Hornpipe", "strathspey": "Strathspey",
    "quick ?step": "Quickstep", "march": "March", "minuet": "Minuet", "(?:highland )?fling": "Highland Fling",
    "clog": "Clog", "waltz": "Waltz", "lament(?:ation)?": "Lament", "lullaby": "Lullaby", "planxty": "Planxty",
}  # fmt: skip
# Upper bounds of levels 1 to 4, in notes x octaves: each level holds about 20 % of the tunes.
LEVELS = (108, 144, 170, 210)
SMALL_WORDS = frozenset(["a", "an", "and", "at", "by", "for", "from", "in", "of", "on", "or", "the", "to", "with"])
# Minstrel titles, insulting titles, and titles that are not names.
EXCLUDED_TITLES = re.compile(
    r"N\.\.\.\.|Zip Coon|Walk Around|\bin de\b|Plantation|Pompey|Savage|\bDo\.?$|Following|\\|^\d"
    r"|^(?:Irish|Scots|Scotch|Welch|French|Highland) (?:Air|Tune)\.?$"
    r"|^(?:A )?(?:Cotillon|Quick Step|Allemanda|March|Minuet)[.,]?$",
    re.IGNORECASE,
)


def main(source: Path) -> None:
    """Write the data file."""
    tunes = (json.loads(line) for line in source.read_text(encoding="utf-8").splitlines())
    lessons = sorted(distinct(map(lesson, filter(is_included, tunes))), key=sort_key)
    lines = "".join(json.dumps(lesson, ensure_ascii=False, separators=(",", ":")) + "\n" for lesson in lessons)
    # Without the file name and time, which gzip would record, the bytes are reproducible.
    OUT.write_bytes(gzip.compress(lines.encode("utf-8"), compresslevel=9, mtime=0))
    print(f"{len(lessons)} lessons, {OUT.stat().st_size} bytes: {OUT}")


def is_included(tune: dict[str, Any]) -> bool:
    """Return whether the tune belongs in the demo."""
    return tune["collection"] in COLLECTIONS and not EXCLUDED_TITLES.search(tune["title"])


def lesson(tune: dict[str, Any]) -> dict[str, Any]:
    """Return the lesson about a tune, without unknown fields."""
    title, form = title_and_form(tune)
    made = {
        "id": re.sub(r"[^a-z0-9]+", "-", tune["id"].lower()).strip("-"),
        "title": title,
        "form": form,
        "key": tune.get("key"),
        "metre": tune.get("meter") if tune.get("meter") in METRES else None,
        "difficulty": difficulty(tune["note_count"], tune.get("range_semitones") or 12),
        "note_count": tune["note_count"],
        "composer": composer(tune),
        "collection": tune["collection"],
    }
    return {name: value for name, value in made.items() if value is not None}


def distinct(lessons: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield one lesson per title, form and collection: settings of the same tune look alike in a list."""
    seen = set()
    for lesson in lessons:
        identity = (lesson["title"].casefold(), lesson.get("form"), lesson["collection"])
        if identity not in seen:
            seen.add(identity)
            yield lesson


def sort_key(lesson: dict[str, Any]) -> tuple[bool, str]:
    """Return a key for a reproducible shuffle, so that the first few lessons are of every kind."""
    return lesson["title"] != FIRST, hashlib.sha256(lesson["id"].encode()).hexdigest()


def difficulty(notes: int, semitones: int) -> int:
    """Return 1 to 5, from the number of notes times the compass in octaves."""
    return 1 + sum(notes * semitones / 12 > bound for bound in LEVELS)


def title_and_form(tune: dict[str, Any]) -> tuple[str, str | None]:
    """Return the cleaned title, and the form if it is known."""
    title, form = clean(tune["title"]), tune.get("form")
    if match := re.search(r"\s*-{1,2}\s*(Slip ?jig|Jig|Reel|Fling)\b", title, re.IGNORECASE):
        title, form = (title[: match.start()] + title[match.end() :]).strip(), form_in(match[1])
    if form and re.search(r"(?:'s|s')$", title):
        title = f"{title} {form}"
    return title, form or form_in(title) or chapter(tune)


def form_in(title: str) -> str | None:
    """Return the form that a title begins or ends with."""
    for pattern, form in FORMS.items():
        if re.search(rf"(?:^{pattern}\b)|(?:\b{pattern}$)", title, re.IGNORECASE):
            return form
    return None


def chapter(tune: dict[str, Any]) -> str | None:
    """Return the form of O'Neill's chapter that contains the tune."""
    if tune["collection"] != ONEILL:
        return None
    return next((form for last, form in CHAPTERS if int(tune["number"]) <= last), None)


def clean(title: str) -> str:
    """Return the title without transcription errors, with small words in lower case and no final full stop."""
    title = title.replace("at:", "at").replace("=", "-").replace("Strathsy", "Strathspey")
    title = re.sub(r"(?<=[A-Za-z]): ?(?=\w)", ". ", title)
    if title.count('"') % 2:
        title = title.replace('"', "")
    title = re.sub(r"\s+", " ", title).strip().rstrip(".,;: ")
    if title.endswith(" The"):
        title = "The " + title.removesuffix(" The").rstrip(".,")
    # Words in capitals, and letters wrongly capitalized after an apostrophe: McDONALD'S, Don'T.
    title = re.sub(r"\b((?:Mc|O')?[A-Z])([A-Z]+)\b", lambda m: m[1] + m[2].lower(), title)
    title = re.sub(r"(?<=[A-Za-z]')(?<!\bO')[A-Z]l?\b", lambda m: m[0].lower(), title)
    first, *others = title.split(" ")
    return " ".join([first, *(word.lower() if word.lower() in SMALL_WORDS else word for word in others)])


def composer(tune: dict[str, Any]) -> str | None:
    """Return the composer, if the source names one."""
    text = re.sub(r"\s+", " ", tune.get("composer", "").replace("at:", "at")).rstrip(". ")
    if tune["collection"] == ONEILL:
        return "Turlough O'Carolan" if text == "O'Carolan" else None
    if tune["collection"] == RYAN and text.upper() not in ("", "SCOTCH", "TRAD"):
        spaced = re.sub(r"\.(?=\w)", ". ", text)
        return re.sub(r"\b([A-Z])([A-Z]+)\b", lambda m: m[1] + m[2].lower(), spaced)
    if tune["collection"] == AIRD and (match := re.fullmatch(r"by ((?:\w+\. ?)*\w{3,})", text, re.IGNORECASE)):
        return match[1]
    return text if text in ("James Sanderson", "John Peacock", "Neil Gow") else None


if __name__ == "__main__":
    main(Path(sys.argv[1]))
