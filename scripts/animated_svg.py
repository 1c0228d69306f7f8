"""Terminal screens as one animated SVG that needs only CSS; it stands still with prefers-reduced-motion."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

CELL_WIDTH, LINE_HEIGHT, FONT_SIZE = 8.4, 19, 14
MARGIN, TOP = 16, 44
# Colors by pyte's names, in light and dark mode. Any other name is the foreground.
COLORS: Final = {
    "black": ("#57606a", "#8b949e"),
    "red": ("#cf222e", "#ff7b72"),
    "green": ("#116329", "#7ee787"),
    "brown": ("#7d4e00", "#e3b341"),
    "blue": ("#0550ae", "#79c0ff"),
    "magenta": ("#8250df", "#d2a8ff"),
    "cyan": ("#1b7c83", "#76e3ea"),
    "faint": ("#d0d7de", "#30363d"),
}
_PAPER = ("#f6f8fa", "#0d1117")
_INK = ("#24292f", "#e6edf3")
_EDGE = ("#d0d7de", "#30363d")


@dataclass(frozen=True, slots=True)
class Run:
    """Adjacent characters with the same style, starting at a column. A ``color`` outside COLORS is the foreground."""

    column: int
    text: str
    color: str = ""
    bold: bool = False


Row = tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class Frame:
    """All rows of a screen, shown from ``at_seconds`` until the next frame."""

    at_seconds: float
    rows: tuple[Row, ...]


def svg(frames: Sequence[Frame], columns: int, end_seconds: float, title: str) -> str:
    """Return an SVG that shows the frames in a loop. A row that does not change is drawn once."""
    width, height = round(MARGIN * 2 + columns * CELL_WIDTH), TOP + MARGIN + len(frames[0].rows) * LINE_HEIGHT
    styles, drawn = [], []
    for number, span in enumerate(_spans(frames, end_seconds)):
        styles.append(_keyframes(number, span, end_seconds))
        last = ' class="last"' if span.to_seconds == end_seconds else ""
        drawn.append(f'<g{last} style="animation-name:k{number}">{_text(span)}</g>')
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-label="{title}">',
            f"<title>{escape(title)}</title>",
            f"<style>{_style(end_seconds)}{''.join(styles)}</style>",
            f'<rect class="paper" x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="8"/>',
            *(f'<circle class="edge" cx="{MARGIN + 6 + 20 * button}" cy="20" r="6"/>' for button in range(3)),
            *drawn,
            "</svg>",
            "",
        ]
    )


@dataclass(frozen=True, slots=True)
class _Span:
    """A row, its line number, and when it is shown."""

    line: int
    row: Row
    from_seconds: float
    to_seconds: float


def _spans(frames: Sequence[Frame], end_seconds: float) -> Iterator[_Span]:
    for line in range(len(frames[0].rows)):
        began, row = 0.0, frames[0].rows[line]
        for frame in frames[1:]:
            if frame.rows[line] != row:
                yield from _span(line, row, began, frame.at_seconds)
                began, row = frame.at_seconds, frame.rows[line]
        yield from _span(line, row, began, end_seconds)


def _span(line: int, row: Row, began: float, ended: float) -> Iterator[_Span]:
    if row and ended > began:
        yield _Span(line, row, began, ended)


def _keyframes(number: int, span: _Span, end_seconds: float) -> str:
    start, stop = (100 * seconds / end_seconds for seconds in (span.from_seconds, span.to_seconds))
    before = "0%{visibility:hidden}" if start > 0 else ""
    after = f"{stop:.2f}%{{visibility:hidden}}" if stop < 100 else ""
    return f"@keyframes k{number}{{{before}{start:.2f}%{{visibility:visible}}{after}}}"


def _text(span: _Span) -> str:
    y = TOP + LINE_HEIGHT * span.line + FONT_SIZE
    return "".join(_run(run, y) for run in span.row)


def _run(run: Run, y: int) -> str:
    names = " ".join([*([run.color] if run.color in COLORS else []), *(["bold"] if run.bold else [])])
    css_class = f' class="{names}"' if names else ""
    x, length = MARGIN + run.column * CELL_WIDTH, len(run.text) * CELL_WIDTH
    return f'<text{css_class} x="{x:.1f}" y="{y}" textLength="{length:.1f}">{escape(run.text)}</text>'


def _style(end_seconds: float) -> str:
    light, dark = (_scheme(mode) for mode in (0, 1))
    return (
        f"{light}@media (prefers-color-scheme:dark){{{dark}}}"
        f"text{{font:{FONT_SIZE}px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;"
        "white-space:pre}.bold{font-weight:bold}"
        f"g{{visibility:hidden;animation:{end_seconds:.2f}s step-end infinite}}"
        ".last{visibility:visible}@media (prefers-reduced-motion:reduce){g{animation:none}}"
    )


def _scheme(mode: int) -> str:
    """Return the colors of light (0) or dark (1) mode."""
    colors = "".join(f".{name}{{fill:{pair[mode]}}}" for name, pair in COLORS.items())
    ink, paper, edge = _INK[mode], _PAPER[mode], _EDGE[mode]
    return f"text{{fill:{ink}}}.paper{{fill:{paper};stroke:{edge}}}.edge{{fill:{edge}}}{colors}"
