"""The texts that people read are free of the phrases in `banned_phrases`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from tests.docs import prose
from tests.docs.banned_phrases import NAMES, ORDINARY, PHRASES, PHRASES_IN_CODE, Phrase, violations
from tests.docs.prose import Text, texts_of_html, texts_of_javascript, variables, without_code

SOURCES: Final[dict[str, tuple[Callable[[], Iterator[Text]], Sequence[Phrase]]]] = {
    "documents": (prose.documents, PHRASES),
    "root documents": (prose.root_documents, PHRASES),
    "generated documents": (prose.generated_documents, PHRASES),
    "messages": (prose.messages, PHRASES),
    "page": (prose.page, PHRASES_IN_CODE),
    "templates": (prose.templates, PHRASES_IN_CODE),
    "docstrings": (prose.docstrings, PHRASES_IN_CODE),
    "comments": (prose.comments, PHRASES_IN_CODE),
    "names of tests": (prose.names_of_tests, PHRASES_IN_CODE),
}


def every_text() -> Iterator[Any]:
    """A row per text with the phrases that it must not contain, named after its source."""
    for source, (texts, phrases) in SOURCES.items():
        yield from (pytest.param(text, phrases, id=f"{source}: {name}") for name, text in texts())


@pytest.mark.parametrize(("text", "phrases"), list(every_text()))
def test_text_contains_no_banned_phrase(text: str, phrases: Sequence[Phrase]) -> None:
    assert violations(text, phrases) == []


@pytest.mark.parametrize("phrase", PHRASES, ids=lambda phrase: phrase.pattern)
def test_pattern_finds_its_example(phrase: Phrase) -> None:
    assert violations(phrase.example, [phrase])
    assert violations(phrase.example.upper(), [phrase])
    assert violations(phrase.example.replace(" ", "\n  "), [phrase])


@pytest.mark.parametrize("sentence", ORDINARY)
def test_ordinary_sentence_is_not_flagged(sentence: str) -> None:
    assert violations(sentence) == []


def test_patterns_are_unique_and_name_an_alternative() -> None:
    assert [pattern for pattern, count in Counter(phrase.pattern for phrase in PHRASES).items() if count > 1] == []
    assert [phrase.pattern for phrase in PHRASES if not phrase.instead] == []


def test_violation_shows_the_context_and_the_alternative() -> None:
    [violation] = violations("Before you do that, mend the mapping of the index, then resume.")
    assert violation == "...Before you do that, mend the mapping of the index... 'mend': write fix"


def test_code_and_link_targets_are_exempt() -> None:
    text = "Run `mend` or ``told``:\n\n   ```console\n   $ mend it\n   ```\n\nSee [this](mend.md#told)."
    assert without_code(text).split() == ["Run", "X", "or", "X:", "See", "[this]."]
    assert violations(without_code(text + " Mend it.")) != []


@pytest.mark.parametrize("source", SOURCES)
def test_every_source_yields_texts(source: str) -> None:
    texts, _ = SOURCES[source]
    assert any(text.strip() for _, text in texts())


def test_standard_terms_apply_to_code_except_the_name_of_a_command() -> None:
    text = "The ghost of a parked key needs a refill."
    assert len(violations(text)) == 3
    assert len(violations(text, PHRASES_IN_CODE)) == 2


def test_examples_of_commands_are_exempt() -> None:
    text = "Mend it. Examples:\n\n    dynadex refill songs:sync\n\nArgs:\n    part: Mend it."
    assert without_code(text) == "Mend it. Examples:\n\n\n\nArgs:\n    part: Mend it."


def test_visible_texts_of_html_are_found() -> None:
    html = '<a class="x y" title="A title"><b>Some</b> text<img alt="An image" src="a b"></a>'
    assert texts_of_html(html).split("\n") == ["A title", "Some", " text", "An image"]


def test_comments_and_texts_of_javascript_are_found() -> None:
    script = """f("name", "two words"); // See `mend`.
g(`${a} and ${b} more`, 'x "y', "http://x/y");
"""
    assert texts_of_javascript(script).split("\n") == ["See X.", "two words", "X and X more"]


def test_docstrings_and_messages_are_separate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "part.py").write_text(
        '"""Mend it."""\n\ndef call(told, *, rest):\n    """Call `x`."""\n    raise Error(f"cannot {rest}: mended")\n'
    )
    monkeypatch.setattr(prose, "ROOT", tmp_path)
    assert list(prose.docstrings()) == [("src/part.py", "Mend it.\nCall X.")]
    assert list(prose.messages()) == [("src/part.py", "cannot X: mended")]
    assert variables(tmp_path / "src" / "part.py") & NAMES == {"told"}
