"""The texts that people read are free of the phrases in `banned_phrases`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.docs import prose
from tests.docs.banned_phrases import NAMES, ORDINARY, PHRASES, Phrase, violations
from tests.docs.prose import Text, variables, without_code

# Move a row up when the pass over its texts is done.
CHECKED: Final[dict[str, Callable[[], Iterator[Text]]]] = {
    "documents": prose.documents,
}
NOT_YET_CHECKED: Final[dict[str, Callable[[], Iterator[Text]]]] = {
    "root documents": prose.root_documents,
    "generated documents": prose.generated_documents,
    "docstrings": prose.docstrings,
    "messages": prose.messages,
    "names of tests": prose.names_of_tests,
}


def every_text() -> Iterator[Any]:
    """A row per text, named after its source."""
    for source, texts in CHECKED.items():
        yield from (pytest.param(text, id=f"{source}: {name}") for name, text in texts())


@pytest.mark.parametrize("text", list(every_text()))
def test_text_contains_no_banned_phrase(text: str) -> None:
    assert violations(text) == []


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


@pytest.mark.parametrize("source", [*CHECKED.values(), *NOT_YET_CHECKED.values()], ids=[*CHECKED, *NOT_YET_CHECKED])
def test_every_source_yields_texts(source: Callable[[], Iterator[Text]]) -> None:
    assert any(text.strip() for _, text in source())


def test_docstrings_and_messages_are_separate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "part.py").write_text(
        '"""Mend it."""\n\ndef call(told, *, rest):\n    """Call `x`."""\n    raise Error(f"cannot {rest}: mended")\n'
    )
    monkeypatch.setattr(prose, "ROOT", tmp_path)
    assert list(prose.docstrings()) == [("src/part.py", "Mend it.\nCall X.")]
    assert list(prose.messages()) == [("src/part.py", "cannot X: mended")]
    assert variables(tmp_path / "src" / "part.py") & NAMES == {"told"}
