"""Makes src/dynadex/demo/songs.jsonl.gz, the lessons of the demo, from a file of tunes.

    python scripts/make_songs.py TUNES.jsonl

The source has one tune a line: {"id", "title", "collection", "note_count", ...}. Only the English-titled collections
are taken. What is derived, and from what:

- ``form`` as the source has it; else what the title calls itself ("... -- Reel", "Lamentation of ..."); else, in
  O'Neill's Music of Ireland, the chapter its number stands in. A tune that says none of it has no form.
- ``key`` names the major key of the key signature: a tune in E minor stands under G.
- ``metre`` is left out where the source took an upbeat for a bar ("1/8").
- ``composer`` only where the source names one, and not its informant, publisher or country.
- ``difficulty`` 1 to 5 from notes x compass in octaves: the more there is to play and the further it reaches.

The same source gives the same bytes.
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
# First of all, so that it is there however few songs are loaded: the tune of the README.
FIRST = "The Rakes of Mallow"

METRES = frozenset(["2/2", "2/4", "3/4", "4/4", "3/8", "6/8", "9/8", "12/8", "3/2", "6/4", "9/4"])
# O'Neill's chapters: up to which number, and the form of what stands there (None: of every kind).
CHAPTERS = (
    (625, "Air"), (700, None), (1115, "Jig"), (1175, "Slip Jig"), (1555, "Reel"), (1780, "Hornpipe"),
    (1800, "Long Dance"), (1850, None),
)  # fmt: skip
FORMS = {
    "slip ?jig": "Slip Jig", "jigg?": "Jig", "reel": "Reel", "hornpipe": "Hornpipe", "strathspey": "Strathspey",
    "quick ?step": "Quickstep", "march": "March", "minuet": "Minuet", "(?:highland )?fling": "Highland Fling",
    "clog": "Clog", "waltz": "Waltz", "lament(?:ation)?": "Lament", "lullaby": "Lullaby", "planxty": "Planxty",
}  # fmt: skip
# Upper bounds of levels 1 to 4, in notes x octaves: each level holds about a fifth of the tunes.
LEVELS = (108, 144, 170, 210)
SMALL_WORDS = frozenset(["a", "an", "and", "at", "by", "for", "from", "in", "of", "on", "or", "the", "to", "with"])
# Titles of the minstrel stage and titles that insult; titles that name nothing.
UNWANTED = re.compile(
    r"N\.\.\.\.|Zip Coon|Walk Around|\bin de\b|Plantation|Pompey|Savage|\bDo\.?$|Following|\\|^\d"
    r"|^(?:Irish|Scots|Scotch|Welch|French|Highland) (?:Air|Tune)\.?$"
    r"|^(?:A )?(?:Cotillon|Quick Step|Allemanda|March|Minuet)[.,]?$",
    re.IGNORECASE,
)


def main(source: Path) -> None:
    """Write the data file."""
    tunes = (json.loads(line) for line in source.read_text(encoding="utf-8").splitlines())
    lessons = sorted(distinct(map(lesson, filter(wanted, tunes))), key=place)
    lines = "".join(json.dumps(one, ensure_ascii=False, separators=(",", ":")) + "\n" for one in lessons)
    # The name and the time that gzip would note down differ from run to run.
    OUT.write_bytes(gzip.compress(lines.encode("utf-8"), compresslevel=9, mtime=0))
    print(f"{len(lessons)} lessons, {OUT.stat().st_size} bytes: {OUT}")


def wanted(tune: dict[str, Any]) -> bool:
    """Whether the tune belongs into the demo."""
    return tune["collection"] in COLLECTIONS and not UNWANTED.search(tune["title"])


def lesson(tune: dict[str, Any]) -> dict[str, Any]:
    """The lesson about a tune; what is not known is left out."""
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
    """One lesson per title, form and collection: other settings of a tune look the same in a list."""
    seen = set()
    for one in lessons:
        identity = (one["title"].casefold(), one.get("form"), one["collection"])
        if identity not in seen:
            seen.add(identity)
            yield one


def place(one: dict[str, Any]) -> tuple[bool, str]:
    """Where the lesson stands: shuffled, always the same way, so that the first few are of every kind."""
    return one["title"] != FIRST, hashlib.sha256(one["id"].encode()).hexdigest()


def difficulty(notes: int, semitones: int) -> int:
    """1 to 5, from the number of notes times the compass in octaves."""
    return 1 + sum(notes * semitones / 12 > bound for bound in LEVELS)


def title_and_form(tune: dict[str, Any]) -> tuple[str, str | None]:
    """The cleaned title, and the form where it is known."""
    title, form = clean(tune["title"]), tune.get("form")
    if found := re.search(r"\s*-{1,2}\s*(Slip ?jig|Jig|Reel|Fling)\b", title, re.IGNORECASE):
        title, form = (title[: found.start()] + title[found.end() :]).strip(), form_in(found[1])
    if form and re.search(r"(?:'s|s')$", title):
        title = f"{title} {form}"
    return title, form or form_in(title) or chapter(tune)


def form_in(title: str) -> str | None:
    """The form a title begins or ends with."""
    for pattern, form in FORMS.items():
        if re.search(rf"(?:^{pattern}\b)|(?:\b{pattern}$)", title, re.IGNORECASE):
            return form
    return None


def chapter(tune: dict[str, Any]) -> str | None:
    """The form of O'Neill's chapter that the tune stands in."""
    if tune["collection"] != ONEILL:
        return None
    return next((form for last, form in CHAPTERS if int(tune["number"]) <= last), None)


def clean(title: str) -> str:
    """The title without slips of transcription: its words, small ones small, and no full stop."""
    title = title.replace("at:", "at").replace("=", "-").replace("Strathsy", "Strathspey")
    title = re.sub(r"(?<=[A-Za-z]): ?(?=\w)", ". ", title)
    if title.count('"') % 2:
        title = title.replace('"', "")
    title = re.sub(r"\s+", " ", title).strip().rstrip(".,;: ")
    if title.endswith(" The"):
        title = "The " + title.removesuffix(" The").rstrip(".,")
    # Shouted words, and what a program made of the letters after an apostrophe: McDONALD'S, Don'T.
    title = re.sub(r"\b((?:Mc|O')?[A-Z])([A-Z]+)\b", lambda m: m[1] + m[2].lower(), title)
    title = re.sub(r"(?<=[A-Za-z]')(?<!\bO')[A-Z]l?\b", lambda m: m[0].lower(), title)
    first, *others = title.split(" ")
    return " ".join([first, *(word.lower() if word.lower() in SMALL_WORDS else word for word in others)])


def composer(tune: dict[str, Any]) -> str | None:
    """Who wrote it, where the source says so."""
    text = re.sub(r"\s+", " ", tune.get("composer", "").replace("at:", "at")).rstrip(". ")
    if tune["collection"] == ONEILL:
        return "Turlough O'Carolan" if text == "O'Carolan" else None
    if tune["collection"] == RYAN and text.upper() not in ("", "SCOTCH", "TRAD"):
        spaced = re.sub(r"\.(?=\w)", ". ", text)
        return re.sub(r"\b([A-Z])([A-Z]+)\b", lambda m: m[1] + m[2].lower(), spaced)
    if tune["collection"] == AIRD and (found := re.fullmatch(r"by ((?:\w+\. ?)*\w{3,})", text, re.IGNORECASE)):
        return found[1]
    return text if text in ("James Sanderson", "John Peacock", "Neil Gow") else None


if __name__ == "__main__":
    main(Path(sys.argv[1]))
