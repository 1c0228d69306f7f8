"""Keys to document ids, as a frozen table: a changed vector would break every existing index."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynadex.document.identity import MAX_ID_BYTES, KeySchema, canonical_number, document_id, key_of_id

TEXT = KeySchema(("id",), ("S",))
NUMBER = KeySchema(("n",), ("N",))
BINARY = KeySchema(("b",), ("B",))
PAIR = KeySchema(("pk", "sk"), ("S", "S"))
MIXED = KeySchema(("pk", "sk"), ("B", "N"))

A_DIGEST = "0123456789abcdef" * 4


def text(content: str) -> dict[str, Any]:
    return {"id": {"S": content}}


def pair(partition: str, sort: str) -> dict[str, Any]:
    return {"pk": {"S": partition}, "sk": {"S": sort}}


def shortened(whole: str, prefix: str) -> str:
    return f"{prefix}#{hashlib.sha256(whole.encode()).hexdigest()}"


# The id of a key, byte for byte. The keys of the first table follow from their ids.
VECTORS: dict[str, tuple[KeySchema, dict[str, Any], str]] = {
    "text": (TEXT, text("rakes-of-mallow"), "rakes-of-mallow"),
    "text with what composite keys escape": (TEXT, text("100%|a%7C"), "100%|a%7C"),
    "text of several scripts": (TEXT, text("Ríl 丧 🎻"), "Ríl 丧 🎻"),
    "text with a zero byte": (TEXT, text("a\0b"), "a\0b"),
    "text of exactly 512 bytes": (TEXT, text("x" * 512), "x" * 512),
    "512 bytes of longer characters": (TEXT, text("é" * 256), "é" * 256),
    "a number": (NUMBER, {"n": {"N": "42"}}, "42"),
    "the largest number": (NUMBER, {"n": {"N": "9" * 38 + "0" * 88}}, "9" * 38 + "0" * 88),
    "binary as base64 text": (BINARY, {"b": {"B": b"\x00\xff\xfe"}}, "AP/+"),
    "a pair": (PAIR, pair("reels", "1"), "reels|1"),
    "a pair with bars": (PAIR, pair("a|b", "c|"), "a%7Cb|c%7C"),
    "a pair with percent signs": (PAIR, pair("100%", "%7C"), "100%25|%257C"),
    "a pair of binary and number": (MIXED, {"pk": {"B": b"\xff\xff"}, "sk": {"N": "-1.5"}}, "//8=|-1.5"),
    "a pair of exactly 512 bytes": (PAIR, pair("x" * 255, "y" * 256), "x" * 255 + "|" + "y" * 256),
    "text with a digest that is too short to be shortened": (
        TEXT,
        text("x" * 335 + "#" + A_DIGEST),
        "x" * 335 + "#" + A_DIGEST,
    ),
    "a long text with a hash sign but no digest": (TEXT, text("x" * 380 + "#" + "y" * 64), "x" * 380 + "#" + "y" * 64),
}
LONG: dict[str, tuple[KeySchema, dict[str, Any], str]] = {
    "513 bytes": (TEXT, text("x" * 513), shortened("x" * 513, "x" * 400)),
    "2,048 bytes": (TEXT, text("y" * 2048), shortened("y" * 2048, "y" * 400)),
    "cut before a two-byte character": (TEXT, text("x" + "é" * 300), shortened("x" + "é" * 300, "x" + "é" * 199)),
    "cut before a three-byte character": (TEXT, text("丧" * 200), shortened("丧" * 200, "丧" * 133)),
    "cut before a four-byte character": (
        TEXT,
        text("abc" + "🎻" * 150),
        shortened("abc" + "🎻" * 150, "abc" + "🎻" * 99),
    ),
    "a pair, cut after it is joined": (
        PAIR,
        pair("|" * 200, "z" * 10),
        shortened("%7C" * 200 + "|" + "z" * 10, ("%7C" * 134)[:400]),
    ),
    "text that looks like a shortened one": (
        TEXT,
        text("x" * 400 + "#" + A_DIGEST),
        shortened("x" * 400 + "#" + A_DIGEST, "x" * 400),
    ),
}


@pytest.mark.parametrize(("schema", "key", "identity"), (VECTORS | LONG).values(), ids=VECTORS | LONG)
def test_id_of_a_key_is_frozen(schema: KeySchema, key: dict[str, Any], identity: str) -> None:
    assert document_id(schema, key) == identity
    assert len(identity.encode()) <= MAX_ID_BYTES


@pytest.mark.parametrize(("schema", "key", "identity"), VECTORS.values(), ids=VECTORS)
def test_key_follows_from_its_id(schema: KeySchema, key: dict[str, Any], identity: str) -> None:
    assert key_of_id(schema, identity) == key


@pytest.mark.parametrize(("schema", "key", "identity"), LONG.values(), ids=LONG)
def test_no_key_follows_from_a_shortened_id(schema: KeySchema, key: dict[str, Any], identity: str) -> None:  # noqa: ARG001
    assert key_of_id(schema, identity) is None


def test_digest_covers_the_whole_key() -> None:
    assert document_id(TEXT, text("x" * 513)) == (
        "x" * 400 + "#35ade0090e64e74d6ad04204009c23a4e34b82bdf0f4f317fbcc5f26f9b10241"
    )


def test_key_equal_to_the_shortened_id_of_another_key_has_another_document() -> None:
    long = text("x" * 600)
    assert document_id(TEXT, text(document_id(TEXT, long))) != document_id(TEXT, long)


@pytest.mark.parametrize(
    ("spellings", "canonical"),
    [
        (("0", "-0", "0.0", "0E+5", "-0.000"), "0"),
        (("1", "1.0", "+1", "01", "1E0", "10E-1"), "1"),
        (("1.5", "1.50", "15E-1", "0.15E+1"), "1.5"),
        (("-1.5", "-1.500"), "-1.5"),
        (("100", "1E2", "1e+2", "100.00"), "100"),
        (("1E+125",), "1" + "0" * 125),
        (("1E-130",), "0." + "0" * 129 + "1"),
        (("12345678901234567890123456789012345678", "12345678901234567890123456789012345678.0"),
         "12345678901234567890123456789012345678"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_all_spellings_of_a_number_have_one_id(spellings: tuple[str, ...], canonical: str) -> None:
    assert {document_id(NUMBER, {"n": {"N": spelling}}) for spelling in spellings} == {canonical}
    assert canonical_number(canonical) == canonical


def test_bytes_and_base64_text_have_one_id() -> None:
    assert document_id(BINARY, {"b": {"B": b"\x01\x02"}}) == document_id(BINARY, {"b": {"B": "AQI="}}) == "AQI="


def test_attributes_other_than_the_key_are_ignored() -> None:
    assert document_id(TEXT, {"title": {"S": "A"}, "id": {"S": "a"}}) == "a"
    assert PAIR.key_of({"sk": {"S": "1"}, "x": {"N": "1"}, "pk": {"S": "a"}}) == pair("a", "1")


@pytest.mark.parametrize(
    ("schema", "key", "reason"),
    [
        (TEXT, {}, "key attribute 'id' is missing"),
        (PAIR, {"pk": {"S": "a"}}, "key attribute 'sk' is missing"),
        (TEXT, {"id": {"BOOL": True}}, "not of the table's key type S"),
        (TEXT, {"id": {"N": "1"}}, "not of the table's key type S"),
        (NUMBER, {"n": {"S": "1"}}, "not of the table's key type N"),
        (TEXT, {"id": {"S": 5}}, "not of the table's key type S"),
        (TEXT, {"id": {"S": "a", "N": "1"}}, "not of the table's key type S"),
        (TEXT, {"id": {}}, "not of the table's key type S"),
        (TEXT, {"id": "plain"}, "not of the table's key type S"),
        (TEXT, {"id": None}, "not of the table's key type S"),
        (BINARY, {"b": {"B": 5}}, "not of the table's key type B"),
        (NUMBER, {"n": {"N": "two"}}, "'two' is not a number"),
        (NUMBER, {"n": {"N": "NaN"}}, "'NaN' is not a finite number"),
    ],
    ids=str,
)
def test_key_that_does_not_match_the_schema_raises_value_error(schema: KeySchema, key: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        document_id(schema, key)


def test_item_without_its_key_raises_value_error() -> None:
    with pytest.raises(ValueError, match="key attribute 'sk' is missing"):
        PAIR.key_of({"pk": {"S": "a"}})


@pytest.mark.parametrize(
    ("schema", "identity"),
    [
        (PAIR, "no-bar"),
        (PAIR, "a|b|c"),
        (PAIR, "100%|a"),
        (NUMBER, "two"),
        (NUMBER, "1.50"),
        (NUMBER, "1E2"),
        (BINARY, "not base64"),
        (BINARY, "AB=="),
        (TEXT, "x" * 513),
    ],
)
def test_id_of_no_key_raises_value_error(schema: KeySchema, identity: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        key_of_id(schema, identity)


# Characters that mean something to the escape, the digest, or the cut.
_PARTS = st.text(alphabet=st.sampled_from("a%|#7C25é丧🎻\0"), max_size=12) | st.text(max_size=8)
_LONG_PARTS = st.builds(lambda part, times: part * times, _PARTS, st.integers(1, 400))
_PAIRS = st.tuples(_PARTS | _LONG_PARTS, _PARTS | _LONG_PARTS).filter(
    lambda parts: not any(0xD800 <= ord(character) <= 0xDFFF for part in parts for character in part)
)


@settings(deadline=None, max_examples=150)
@given(st.sets(_PAIRS, min_size=2, max_size=12))
def test_no_two_composite_keys_share_an_id(keys: set[tuple[str, str]]) -> None:
    # Keys whose parts are divided at another place.
    moved = {(f"{a}|{b}", "") for a, b in keys} | {(a[:1], a[1:] + b) for a, b in keys}
    keys |= moved
    assert len({document_id(PAIR, pair(*key)) for key in keys}) == len(keys)


@settings(deadline=None, max_examples=150)
@given(_PAIRS)
def test_every_id_fits_and_gives_its_key_unless_it_is_shortened(key: tuple[str, str]) -> None:
    identity = document_id(PAIR, pair(*key))
    assert len(identity.encode()) <= MAX_ID_BYTES
    parsed = key_of_id(PAIR, identity)
    assert parsed == pair(*key) or (parsed is None and len(identity) >= 65)


@settings(deadline=None, max_examples=150)
@given(st.decimals(allow_nan=False, allow_infinity=False, places=5))
def test_number_equals_its_canonical_spelling(exact: Any) -> None:
    canonical = canonical_number(str(exact))
    assert type(exact)(canonical) == exact
    assert "E" not in canonical
    assert canonical_number(canonical) == canonical
