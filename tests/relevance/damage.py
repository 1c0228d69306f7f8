"""Titles as people type them: pure, and the same for the same random numbers.

Nothing here knows how dynadex analyses a text. A slip is one of four: a key beside the right one, two letters in the
wrong order, a letter left out, a letter typed twice; it may fall on any letter of the title, so that long words get
more of them than short ones. A kind that a title cannot suffer (no second word, no apostrophe) answers None.
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
# In "Frauen", "neue" and "Quelle", ue is no umlaut.
_SPELLED_UMLAUT = re.compile(r"(?<![aeiouq])(ae|oe|ue)", re.IGNORECASE)

Damage = Callable[[str, Random], str | None]


def exact(title: str, random: Random) -> str | None:  # noqa: ARG001 - every damage is called alike
    """The title as it is."""
    return title


def one_typo(title: str, random: Random) -> str | None:
    """One slip somewhere."""
    places = _letters(title)
    return _slip(title, random.choice(places), random) if places else None


def two_typos(title: str, random: Random) -> str | None:
    """Two slips, in different words."""
    words = list(re.finditer(r"\S+", title))
    places = [place for place, word in enumerate(words) if _letters(word[0])]
    if len(places) < 2:
        return None
    for place in sorted(random.sample(places, 2), reverse=True):
        start, end = words[place].span()
        word = title[start:end]
        title = title[:start] + _slip(word, random.choice(_letters(word)), random) + title[end:]
    return title


def beginning(title: str, random: Random) -> str | None:  # noqa: ARG001 - every damage is called alike
    """The first 60 % of the title, as far as the typing has got."""
    return title[: -(-len(title) * 6 // 10)].rstrip()


def beginning_with_typo(title: str, random: Random) -> str | None:
    """The first 60 % of the title, with a slip in it."""
    return one_typo(title[: -(-len(title) * 6 // 10)].rstrip(), random)


def word_dropped(title: str, random: Random) -> str | None:
    """One word of at least three left out."""
    words = title.split()
    if len(words) < 3:
        return None
    del words[random.randrange(len(words))]
    return " ".join(words)


def other_order(title: str, random: Random) -> str | None:
    """The same words in any other order."""
    words = title.split()
    if len(set(words)) < 2:
        return None
    while (shuffled := random.sample(words, len(words))) == words:
        pass
    return " ".join(shuffled)


def articles_dropped(title: str, random: Random) -> str | None:  # noqa: ARG001 - every damage is called alike
    """All articles left out, and the punctuation: as lists sort titles, and as people in a hurry type them."""
    words = re.findall(r"[\w'’]+", title)
    kept = [word for word in words if word.casefold() not in _ARTICLES]
    return " ".join(kept).lower() if 0 < len(kept) < len(words) else None


def umlauts(title: str, random: Random) -> str | None:
    """Umlauts the other way: spelled out where the title has the letter, the letter or its bare vowel where not."""
    if any(letter in _SPELLED_OUT for letter in title.lower()):
        out = [_SPELLED_OUT, {"ä": "a", "ö": "o", "ü": "u", "ß": "ss"}][random.randrange(2)]
        return "".join(out.get(letter.lower(), letter) for letter in title)
    if not _SPELLED_UMLAUT.search(title):
        return None
    bare = random.random() < 0.5
    return _SPELLED_UMLAUT.sub(lambda found: found[0][0] if bare else _UMLAUTS[found[0].lower()], title)


def apostrophes(title: str, random: Random) -> str | None:
    """Apostrophes left out, or as typesetters write them."""
    return re.sub("['’`]", random.choice(["", "’"]), title) if re.search("['’`]", title) else None


def numbers(title: str, random: Random) -> str | None:
    """Numbers from two to twelve another way (digits, a word, Roman), and an ampersand as and or the other way."""
    changed = re.sub(r"(?<!\S)[\w&]+(?!\S)", lambda found: _exchanged(found[0], random), title)
    return changed if changed != title else None


def nonsense(random: Random) -> str:
    """One to three words of six to twelve random letters; shorter ones are soon a slip of some word."""
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
    """Whether a song's title may suffer so: umlauts are for German ones, since in Braes and Xue ae and ue are none."""
    return kind != "umlauts the other way" or "Deutschland" in song.get("region", ())


def same(text: str) -> str:
    """Songs share a title if its letters and digits are the same."""
    return "".join(one for one in text.casefold() if one.isalnum())


def reading(kind: str, text: str) -> str:
    """What can be told of a title from a text so damaged: of words in any order, which they are."""
    return " ".join(sorted(map(same, text.split()))) if kind == "other word order" else same(text)


def outcomes(kind: str, title: str) -> Iterator[str]:
    """All texts that the damage may leave of a title, where they can be told: not those of slips.

    A text some word of which was dropped may as well be a title whose last words are still to be typed.
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
    """Where a slip may fall: on any letter, but for a word of a single one."""
    return [
        place
        for word in re.finditer(r"\S+", text)
        if sum(one.isalpha() for one in word[0]) > 1
        for place in range(*word.span())
        if text[place].isalpha()
    ]


def _slip(text: str, place: int, random: Random) -> str:
    letter = text[place]
    following = text[place + 1 : place + 2]
    slips = [text[:place] + text[place + 1 :], text[:place] + letter + text[place:]]
    if letter.lower() in _NEIGHBOURS:
        slips.append(text[:place] + random.choice(_NEIGHBOURS[letter.lower()]) + text[place + 1 :])
    if following.isalpha() and following.lower() != letter.lower():
        slips.append(text[:place] + following + letter + text[place + 2 :])
    return random.choice(slips)


def _exchanged(word: str, random: Random) -> str:
    for forms in _NUMBERS:
        if word in forms or word.lower() in forms:
            return random.choice(sorted(form for form in forms if form.lower() != word.lower()))
    return word
