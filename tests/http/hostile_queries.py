"""Hostile queries and their expected outcomes, as data.

``parameters`` are those of GET /api/search. ``expected`` is the code of a 400, or what the response must contain:
``NOTHING``, ``ANYTHING`` (any successful response), ``ALL`` (all documents, as without a query), or the title of the
first hit.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

NOTHING: Final = "no hits"
ANYTHING: Final = "any response"
ALL: Final = "all documents"
MALLOW: Final = "The Rakes of Mallow"


@dataclass(frozen=True)
class Hostile:
    """A query and its expected outcome."""

    what: str
    expected: str
    q: str = ""
    parameters: dict[str, str] = field(default_factory=dict)


def _of(what: str, expected: str, **parameters: str) -> Hostile:
    return Hostile(what, expected, parameters.pop("q", ""), parameters)


HOSTILE: Final = (
    # Lucene syntax is plain text.
    _of("a field name", NOTHING, q="title:zzzz"),
    _of("Lucene operators", ANYTHING, q="rakes AND NOT mallow OR (reel"),
    _of("a required word", MALLOW, q="+rakes +mallow"),
    _of("a forbidden word", MALLOW, q="rakes -mallow"),
    _of("wildcards", ANYTHING, q="r*kes* mallow*"),
    _of("one wildcard", ALL, q="*"),
    _of("everything by a field", ALL, q="*:*"),
    _of("a phrase", MALLOW, q='"rakes of mallow"'),
    _of("an unterminated phrase", MALLOW, q='"rakes of mallow'),
    _of("fuzzy operators", ANYTHING, q="rakes~10 mallow~"),
    _of("a boost", ANYTHING, q="rakes^1000000000 mallow"),
    _of("a range", ANYTHING, q="difficulty:[1 TO *]"),
    _of("an open range", ANYTHING, q="title:>a"),
    _of("a regular expression", NOTHING, q="/zz[^a]{1,9999}zz/"),
    _of("an unterminated regular expression", ANYTHING, q="/(.*)*"),
    _of("a trailing escape", MALLOW, q="rakes mallow\\"),
    _of("escapes", MALLOW, q="\\rakes \\mallow"),
    _of("a query in a query", ANYTHING, q='{"query":{"match_all":{}}}'),
    _of("a script", ANYTHING, q='{"script":{"source":"while(true){}"}}'),
    _of("existence of a field", ANYTHING, q="_exists_:title"),
    _of("an id", ANYTHING, q="_id:harmful"),
    # Punctuation alone is an empty query.
    _of("only punctuation", ALL, q="!?.,;:-_()[]{}/\\|\"'`~@#%^&*+=<>"),
    _of("only brackets", ALL, q="(" * 256 + ")" * 256),
    _of("deep brackets around a word", ANYTHING, q="(" * 250 + "mallow" + ")" * 250),
    _of("only spaces", ALL, q=" " * 512),
    _of("every kind of space", ALL, q="\u00a0\u2003\u3000\t\n\r"),
    _of("an apostrophe", ALL, q="'"),
    _of("hyphens", ALL, q="-" * 512),
    # Length.
    _of("the maximum length, without a space", NOTHING, q="x" * 512),
    _of("one character too long", "query_too_long", q="x" * 513),
    _of("100,000 characters", "query_too_long", q="rakes " * 16_667),
    _of("256 words of one letter", ANYTHING, q="a " * 256),
    _of("170 words similar to many others", ANYTHING, q="ra " * 170),
    _of("one word 85 times", ANYTHING, q="rakes " * 85),
    _of("96 words with typos", NOTHING, q="mallo kitt moll zzzz " * 24),
    # Characters.
    _of("a null character", "bad_character", q="rakes\x00mallow"),
    _of("a terminal escape sequence", "bad_character", q="\x1b[31mrakes"),
    _of("a bell", "bad_character", q="\x07"),
    _of("a deleted character", "bad_character", q="rakes\x7f"),
    _of("a control character beyond ASCII", "bad_character", q="rakes\x85"),
    _of("a line break from a copied title", MALLOW, q="rakes of\r\nmallow"),
    _of("text direction marks", ANYTHING, q="\u202erakes\u202c mallow"),
    _of("an invisible joiner", ANYTHING, q="ra\u200dkes mal\u200blow"),
    _of("an unpaired surrogate", ANYTHING, q="rakes \ud800"),
    _of("a byte order mark", ANYTHING, q="\ufeffrakes mallow"),
    _of("the private-use characters of highlights", ANYTHING, q="\ue000rakes\ue001 mallow"),
    _of("a noncharacter", ANYTHING, q="rakes \uffff"),
    _of("fifty accents on one letter", ANYTHING, q="a" + "\u0301" * 50),
    _of("full-width letters", MALLOW, q="ｒａｋｅｓ ｏｆ ｍａｌｌｏｗ"),
    # Other scripts and symbols.
    _of("Chinese", NOTHING, q="中文音樂課"),
    _of("Arabic", NOTHING, q="موسيقى شعبية"),
    _of("Devanagari", NOTHING, q="संगीत"),
    _of("Greek, in capitals", NOTHING, q="ΜΟΥΣΙΚΗ"),
    _of("a violin", NOTHING, q="🎻"),
    _of("a family of emoji", NOTHING, q="👨‍👩‍👧‍👦" * 20),
    # HTML, SQL, and shell syntax is plain text.
    _of("an HTML script", NOTHING, q="<script>alert(1)</script>"),
    _of("the end of an attribute", NOTHING, q='"><svg/onload=alert(1)>'),
    _of("SQL", ANYTHING, q="rakes'; DROP TABLE lessons; --"),
    _of("a template", NOTHING, q="${jndi:ldap://x.test/a}"),
    _of("a path", NOTHING, q="../../../../etc/passwd"),
    # The other parameters.
    _of("a negative size", "size_out_of_range", size="-1"),
    _of("a size of 100 digits", "size_out_of_range", size="9" * 100),
    _of("a size in exponent notation", "size_out_of_range", size="1e3"),
    _of("a size in another script", "size_out_of_range", size="\u0661\u0662"),
    _of("an empty size", "size_out_of_range", size=""),
    _of("an undeclared sort", "unknown_sort", sort="_script"),
    _of("a sort of the cluster", "unknown_sort", sort="_shard_doc"),
    _of("an invalid cursor", "bad_cursor", cursor="AAAA"),
    _of("a cursor of another search", "bad_cursor", cursor="WyJ4IiwxLCIyIl0"),
    _of("a cursor of the cluster", "bad_cursor", cursor="[1, 2]"),
    _of("an invalid change token", "bad_change_token", after="AAAA"),
    _of("a page by its number", "unknown_parameter", page="2"),
    _of("a parameter of the cluster", "unknown_parameter", source='{"query":{"match_all":{}}}'),
    _of("a parameter of the page", "unknown_parameter", callback="alert"),
    _of("a field that is not a facet", "unknown_parameter", title="Rakes"),
    _of("text for a number", "bad_filter", difficulty="hard"),
    _of("a number out of range", "bad_filter", difficulty="9" * 30),
    _of("a facet value that is too long", "filter_too_long", form="x" * 513),
    _of("a facet value with a null character", "bad_character", form="Jig\x00"),
    _of("a facet value with syntax", NOTHING, form="Jig OR *"),
)
