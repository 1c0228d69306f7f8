"""Draw docs/images/architecture.svg and its dark variant: the components between a table and its index."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path

IMAGES = Path(__file__).parent.parent / "docs" / "images"
WIDTH, HEIGHT = 1180, 370
TITLE = (
    "A DynamoDB table feeds an OpenSearch index: the worker or a Lambda function through the stream, a backfill "
    "through a scan or an export; verify compares the two; the search service and page read the index"
)


@dataclass(frozen=True, slots=True)
class Theme:
    """The colors of one picture."""

    name: str
    text: str
    soft: str
    line: str
    store: str
    part: str


THEMES = (
    Theme("architecture.svg", "#1f2430", "#5b6475", "#5b6475", "#e3ecfb", "#f4f5f7"),
    Theme("architecture-dark.svg", "#e8ebf2", "#a5adbd", "#a5adbd", "#1d3157", "#262b36"),
)


@dataclass(frozen=True, slots=True)
class Box:
    """A labeled rectangle; ``store`` marks a component that holds data."""

    x: int
    y: int
    width: int
    height: int
    lines: tuple[str, ...]
    store: bool = False


@dataclass(frozen=True, slots=True)
class Arrow:
    """A horizontal arrow with a label above; ``both`` gives it two heads."""

    start: int
    end: int
    y: int
    label: str
    both: bool = False


BOXES = (
    Box(10, 20, 200, 330, ("DynamoDB table", "the only source of truth"), store=True),
    Box(370, 20, 240, 90, ("Worker or Lambda", "applies each change")),
    Box(370, 140, 240, 90, ("Backfill", "in time-boxed slices")),
    Box(370, 260, 240, 90, ("Verify and repair", "item by item")),
    Box(740, 20, 210, 330, ("OpenSearch index", "a view of the table,", "rebuilt at any time"), store=True),
    Box(1020, 130, 140, 110, ("Search", "HTTP service", "and page")),
)
ARROWS = (
    Arrow(210, 370, 65, "stream"),
    Arrow(610, 740, 65, "bulk writes"),
    Arrow(210, 370, 185, "scan or export"),
    Arrow(610, 740, 185, "bulk writes"),
    Arrow(210, 370, 305, "items", both=True),
    Arrow(610, 740, 305, "documents", both=True),
    Arrow(950, 1020, 185, "queries", both=True),
)


def picture(theme: Theme) -> str:
    """Return the picture as SVG."""
    parts = [part for box in BOXES for part in _box(box, theme)] + [part for arrow in ARROWS for part in _arrow(arrow)]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
            ' font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif">',
            f"<title>{escape(TITLE)}</title>",
            f"<style>text {{ fill: {theme.text}; text-anchor: middle }} .soft {{ fill: {theme.soft} }}"
            f" path {{ stroke: {theme.line}; stroke-width: 2; fill: none }}</style>",
            '<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7"'
            f' orient="auto-start-reverse"><path d="M0 1 L9 5 L0 9 z" style="fill: {theme.line}; stroke: none"/>'
            "</marker></defs>",
            *parts,
            "</svg>",
            "",
        ]
    )


def _box(box: Box, theme: Theme) -> Iterator[str]:
    fill = theme.store if box.store else theme.part
    yield (
        f'<rect x="{box.x}" y="{box.y}" width="{box.width}" height="{box.height}" rx="10" fill="{fill}"'
        f' stroke="{theme.line}" stroke-width="1"/>'
    )
    middle, top = box.x + box.width // 2, box.y + box.height // 2 - 11 * (len(box.lines) - 1) + 6
    for number, line in enumerate(box.lines):
        style = 'font-size="18" font-weight="600"' if number == 0 else 'class="soft" font-size="15"'
        yield f'<text x="{middle}" y="{top + 23 * number}" {style}>{escape(line)}</text>'


def _arrow(arrow: Arrow) -> Iterator[str]:
    ends = ' marker-start="url(#head)"' if arrow.both else ""
    yield f'<path d="M{arrow.start + 6} {arrow.y} H{arrow.end - 6}" marker-end="url(#head)"{ends}/>'
    middle = (arrow.start + arrow.end) // 2
    yield f'<text x="{middle}" y="{arrow.y - 10}" class="soft" font-size="14">{escape(arrow.label)}</text>'


GENERATED = {f"docs/images/{theme.name}": theme for theme in THEMES}


def main() -> None:
    """Write both pictures."""
    for theme in THEMES:
        (IMAGES / theme.name).write_text(picture(theme), encoding="utf-8")


if __name__ == "__main__":
    main()
