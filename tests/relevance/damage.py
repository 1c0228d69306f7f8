"""Titles as people type them: pure functions, deterministic for a given random generator.

Nothing here depends on how dynadex analyses a text. A typo is one of four: a key next to the right one, two letters in
the wrong order, a missing letter, or a repeated letter. It may fall on any letter of the title, so long words get more
typos than short ones. A kind of damage that does not apply to a title (no second word, no apostrophe) returns None.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import Any

# Neighbours on a QWERTY keyboard, in the same row and in those above and below.
_NEIGHBOURS = {
    "q": "wa", "w": "qeas", "e": "wrsd", "r": "etdf", "t": "ryfg", "y": "tugh", "u": "yihj", "i": "uojk", "o": "ipkl",
    "p": "ol", "a": "qwsz", "s": "awedxz", "d": "serfcx", "f": "drtgvc", "g": "ftyhbv", "h": "gyujnb", "j": "huikmn",
    "k": "jiolm", "l": "kop", "z": "asx", "x": "zsdc", "c": "xdfv", "v": "cfgb", "b": "vghn", "n": "bhjm", "m": "njk",
}  # fmt: skip
_ARTICLES = frozenset(["the", "a", "an", "der", "die", "das", "ein", "eine", "le", "la", "les"])
_NUMBERS = [
    {"2", "two", "II"}, {"3", "three", "III"}, {"4", "four", "IV"}, {"5", "five"}, {"6", "six", "VI"},
    {"7", "seven", "VII"}, {"8", "eight", "VIII"}, {"9", "nine", "IX"}, {"10", "ten"}, {"11", "eleven", "XI"},
    {"12", "twelve", "XII"}, {"&", "and"},
]  # fmt: skip
_UMLAUTS = {"ae": "ä", "oe": "ö", "ue": "ü"}
_SPELLED_OUT = {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"}
# In "Frauen", "neue" and "Quelle", ue is not an umlaut.
_SPELLED_UMLAUT = re.compile(r"(?<![aeiouq])(ae|oe|ue)", re.IGNORECASE)

Damage = Callable[[str, Random], str | None]


def exact(title: str, random: Random) -> str | None:  # noqa: ARG001 - all kinds have the same signature
    """The unchanged title."""
    return title


def one_typo(title: str, random: Random) -> str | None:
    """One typo anywhere."""
    places = _letters(title)
    return _with_typo(title, random.choice(places), random) if places else None


def two_typos(title: str, random: Random) -> str | None:
    """Two typos, in different words."""
    words = list(re.finditer(r"\S+", title))
    places = [place for place, word in enumerate(words) if _letters(word[0])]
    if len(places) < 2:
        return None
    for place in sorted(random.sample(places, 2), reverse=True):
        start, end = words[place].span()
        word = title[start:end]
        title = title[:start] + _with_typo(word, random.choice(_letters(word)), random) + title[end:]
    return title


def beginning(title: str, random: Random) -> str | None:  # noqa: ARG001 - all kinds have the same signature
    """The first 60 % of the title, as if it were still being typed."""
    return title[: -(-len(title) * 6 // 10)].rstrip()


def beginning_with_typo(title: str, random: Random) -> str | None:
    """The first 60 % of the title, with a typo in it."""
    return one_typo(title[: -(-len(title) * 6 // 10)].rstrip(), random)


def word_dropped(title: str, random: Random) -> str | None:
    """The title without one of at least three words."""
    words = title.split()
    if len(words) < 3:
        return None
    del words[random.randrange(len(words))]
    return " ".join(words)


def other_order(title: str, random: Random) -> str | None:
    """The same words in another order."""
    words = title.split()
    if len(set(words)) < 2:
        return None
    while (shuffled := random.sample(words, len(words))) == words:
        pass
    return " ".join(shuffled)


def articles_dropped(title: str, random: Random) -> str | None:  # noqa: ARG001 - all kinds have the same signature
    """The title without articles and punctuation: as lists sort titles, and as people in a hurry type them."""
    words = re.findall(r"[\w'’]+", title)
    others = [word for word in words if word.casefold() not in _ARTICLES]
    return " ".join(others).lower() if 0 < len(others) < len(words) else None


def umlauts(title: str, random: Random) -> str | None:
    """Umlauts in another spelling: spelled out for the letter, and the letter or its base vowel for the spelling."""
    if any(letter in _SPELLED_OUT for letter in title.lower()):
        out = [_SPELLED_OUT, {"ä": "a", "ö": "o", "ü": "u", "ß": "ss"}][random.randrange(2)]
        return "".join(out.get(letter.lower(), letter) for letter in title)
    if not _SPELLED_UMLAUT.search(title):
        return None
    bare = random.random() < 0.5
    return _SPELLED_UMLAUT.sub(lambda match: match[0][0] if bare else _UMLAUTS[match[0].lower()], title)


def apostrophes(title: str, random: Random) -> str | None:
    """The title without apostrophes, or with typographic ones."""
    return re.sub("['’`]", random.choice(["", "’"]), title) if re.search("['’`]", title) else None


def numbers(title: str, random: Random) -> str | None:
    """Numbers from two to twelve in another notation (digits, a word, Roman), and ampersands as "and" or vice versa."""
    changed = re.sub(r"(?<!\S)[\w&]+(?!\S)", lambda match: _exchanged(match[0], random), title)
    return changed if changed != title else None


def nonsense(random: Random) -> str:
    """One to three words of six to twelve random letters; shorter ones would often be a typo of some word."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    return " ".join("".join(random.choices(letters, k=random.randint(6, 12))) for _ in range(random.randint(1, 3)))


KINDS: Mapping[str, Damage] = {
    "exact title": exact,
    "one typo": one_typo,
    "two typos, different words": two_typos,
    "first 60 %": beginning,
    "first 60 %, one typo": beginning_with_typo,
    "one word dropped": word_dropped,
    "other word order": other_order,
    "articles dropped": articles_dropped,
    "umlauts the other way": umlauts,
    "apostrophes the other way": apostrophes,
    "numbers and ampersands": numbers,
}


def applies(kind: str, song: Mapping[str, Any]) -> bool:
    """Return whether a kind of damage applies to a song: umlauts only to German ones, for Braes and Xue have none."""
    return kind != "umlauts the other way" or "Deutschland" in song.get("region", ())


def same(text: str) -> str:
    """Return what identifies a title: its letters and digits, ignoring case."""
    return "".join(character for character in text.casefold() if character.isalnum())


def reading(kind: str, text: str) -> str:
    """Return what a damaged text reveals of its title: for words in another order, only the set of words."""
    return " ".join(sorted(map(same, text.split()))) if kind == "other word order" else same(text)


def outcomes(kind: str, title: str) -> Iterator[str]:
    """Yield all texts that the damage may produce from a title, if they can be listed: not those with typos.

    A text without one of its words may also be a title whose last words are still to be typed.
    """
    if kind == "other word order":
        yield title
    if kind == "first 60 %":
        yield title[: -(-len(title) * 6 // 10)].rstrip()
    if kind == "one word dropped":
        words = title.split()
        for place in range(len(words) if len(words) > 2 else 0):
            yield " ".join(words[:place] + words[place + 1 :])
            yield " ".join(words[:place])


def _letters(text: str) -> list[int]:
    """Return the positions where a typo may occur: all letters, except those of words with a single letter."""
    return [
        place
        for word in re.finditer(r"\S+", text)
        if sum(character.isalpha() for character in word[0]) > 1
        for place in range(*word.span())
        if text[place].isalpha()
    ]


def _with_typo(text: str, place: int, random: Random) -> str:
    letter = text[place]
    following = text[place + 1 : place + 2]
    variants = [text[:place] + text[place + 1 :], text[:place] + letter + text[place:]]
    if letter.lower() in _NEIGHBOURS:
        variants.append(text[:place] + random.choice(_NEIGHBOURS[letter.lower()]) + text[place + 1 :])
    if following.isalpha() and following.lower() != letter.lower():
        variants.append(text[:place] + following + letter + text[place + 2 :])
    return random.choice(variants)


def _exchanged(word: str, random: Random) -> str:
    for forms in _NUMBERS:
        if word in forms or word.lower() in forms:
            return random.choice(sorted(form for form in forms if form.lower() != word.lower()))
    return word
