"""The recording in the README: small, readable without animation, and without external resources."""

from __future__ import annotations

import re
from itertools import pairwise
from xml.etree import ElementTree

from tests.docs.blocks import ROOT
from tests.docs.commands import check
from tests.docs.scripts import loaded

PICTURE = ROOT / "docs/images/recording.svg"
_MAX_BYTES = 300_000
_SVG = "{http://www.w3.org/2000/svg}"


def test_readme_shows_the_recording_with_an_alternative_text() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.search(r"!\[[^\]]{20,}\]\(\S+/docs/images/recording\.svg\)", readme)


def test_it_is_small_and_fetches_nothing() -> None:
    text = PICTURE.read_text(encoding="utf-8")
    assert len(text.encode()) < _MAX_BYTES
    assert re.findall(r"https?://[^\s\"']+", text) == ["http://www.w3.org/2000/svg"]
    assert not re.search(r"<(script|image|use|foreignObject)|url\(|@import|href", text)


def test_last_picture_is_shown_without_animation() -> None:
    root = ElementTree.parse(PICTURE).getroot()
    last = [group for group in root.iter(f"{_SVG}g") if group.get("class") == "last"]
    lines = [" ".join(one.text or "" for one in group) for group in last]
    shown = "\n".join(lines)
    assert "equals its table" in shown
    assert "last verify" in shown
    heights = [float(group[0].get("y", "")) for group in last]
    assert all(above < below for above, below in pairwise(heights)), "no line is drawn over another"


def test_typed_commands_are_valid() -> None:
    root = ElementTree.parse(PICTURE).getroot()
    lines = [
        " ".join(one.text or "" for one in group) for group in root.iter(f"{_SVG}g") if group.get("class") == "last"
    ]
    commands = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    assert len(commands) == 3
    for command in commands:
        check(command)


def test_row_that_does_not_change_is_drawn_once() -> None:
    animated = loaded("animated_svg")
    first, second = (animated.Run(0, "one < two"),), (animated.Run(0, "done", "green", True),)
    frames = [animated.Frame(at, rows) for at, rows in ((0, (first, ())), (1, (first, second)), (2, (second, second)))]
    drawn = animated.svg(frames, 20, 4.0, "two rows")
    root = ElementTree.fromstring(drawn)
    assert [[text.text for text in group] for group in root.iter(f"{_SVG}g")] == [["one < two"], ["done"], ["done"]]
    assert "@keyframes k0{0.00%{visibility:visible}50.00%{visibility:hidden}}" in drawn
    assert "@keyframes k2{0%{visibility:hidden}25.00%{visibility:visible}}" in drawn
    assert [group.get("class") for group in root.iter(f"{_SVG}g")] == [None, "last", "last"]
