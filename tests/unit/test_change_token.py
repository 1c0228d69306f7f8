"""Change tokens: the round trip, invalid tokens, and fingerprints of documents."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from typing import Any

import orjson
import pytest

from dynadex.document.body import decode, encode
from dynadex.http.change_token import ChangeToken, fingerprint, fingerprint_of
from dynadex.search.problem import Problem


@pytest.mark.parametrize("identity", ["x", "", "a|b%7C", "🎻 Émile", "x" * 512])
@pytest.mark.parametrize("document_fingerprint", ["00ff", None])
def test_token_survives_the_round_trip(identity: str, document_fingerprint: str | None) -> None:
    token = ChangeToken(identity, document_fingerprint, 1_764_000_000_000_000)
    assert ChangeToken.parse(str(token)) == token
    assert str(token).isascii()
    assert not set(str(token)) & set("+/=&?#")


@pytest.mark.parametrize(
    "content",
    [
        {},
        [],
        ["x"],
        ["x", "f"],
        ["x", "f", 1, 1],
        ["x", "f", "1"],
        ["x", "f", 1.5],
        ["x", "f", True],
        ["x", "f", -1],
        ["x", "f", 2**53],
        [1, "f", 1],
        ["x", 1, 1],
        ["x" * 513, "f", 1],
        ["é" * 257, None, 1],
    ],
)
def test_json_that_is_not_a_token_is_rejected(content: Any) -> None:
    with pytest.raises(Problem) as problem:
        ChangeToken.parse(urlsafe_b64encode(orjson.dumps(content)).decode())
    assert (problem.value.status, problem.value.code) == (400, "bad_change_token")


@pytest.mark.parametrize("text", ["", "a", "!!!!", "[]", "🎻", "x" * 5000, "W10", "bnVsbA"])
def test_text_that_is_not_a_token_is_rejected(text: str) -> None:
    with pytest.raises(Problem):
        ChangeToken.parse(text)


SAME = [
    ('{"a":1,"b":[1.50,"x"]}', '{"b":[1.5,"x"],"a":1.0}'),
    ('{"n":100}', '{"n":1E+2}'),
    ('{"n":0}', '{"n":-0.0}'),
    ('{"n":12345678901234567890123456789012345678}', '{"n":12345678901234567890123456789012345678.0}'),
    ('{"a":{"c":1,"b":2}}', '{"a":{"b":2,"c":1}}'),
]
OTHER = [
    ('{"a":1}', '{"a":"1"}'),
    ('{"a":1}', '{"a":true}'),
    ('{"a":0}', '{"a":null}'),
    ('{"a":1}', '{"a":[1]}'),
    ('{"a":1}', '{"a":["1",0]}'),
    ('{"a":[1,2]}', '{"a":[2,1]}'),
    ('{"a":null}', "{}"),
    ('{"n":12345678901234567890123456789012345678}', '{"n":12345678901234567890123456789012345679}'),
]


@pytest.mark.parametrize(("first", "second"), SAME)
def test_equal_documents_have_equal_fingerprints(first: str, second: str) -> None:
    assert fingerprint(first.encode()) == fingerprint_of(decode(second))


@pytest.mark.parametrize(("first", "second"), OTHER)
def test_different_documents_have_different_fingerprints(first: str, second: str) -> None:
    assert fingerprint(first.encode()) != fingerprint_of(decode(second))


def test_float_of_a_document_function_has_the_fingerprint_of_its_json() -> None:
    assert fingerprint(encode({"score": 0.1})) == fingerprint_of(decode('{"score":0.1}'))


def test_no_document_has_no_fingerprint() -> None:
    assert fingerprint(None) is None
