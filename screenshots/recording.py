# ruff: noqa: INP001 - a script, not a package
"""Screens one after the other as one picture that moves: an SVG with nothing in it but text and rectangles.

    defs        each line that is ever seen, once
    g           a frame: its lines, by name; CSS shows one frame after the other, round and round

A viewer that does not animate, or whose user wants nothing to move, shows the last frame.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import accumulate
from typing import Final

from rich.cells import cell_len
from rich.color import Color, blend_rgb
from rich.segment import Segment
from rich.style import Style
from rich.terminal_theme import SVG_EXPORT_THEME

_CELL: Final = 8.4
_LINE: Final = 17
_FONT_SIZE: Final = 14
_MARGIN: Final = 8
_FONTS: Final = "ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', 'Liberation Mono', monospace"
_BACKGROUND: Final = "#121212"
_DIM: Final = 0.4


@dataclass(slots=True)
class Recording:
    """Frames of one size in cells, `width` times `height`, and how many seconds each is to be seen."""

    width: int
    height: int
    title: str
    _lines: dict[str, int] = field(default_factory=dict)
    _frames: list[tuple[float, list[int]]] = field(default_factory=list)

    def add(self, lines: Sequence[Iterable[Segment]], seconds: float) -> None:
        """One more frame; one that looks like the last makes that last longer."""
        if len(lines) != self.height:
            raise ValueError(f"a frame of {len(lines)} lines in a recording of {self.height}")
        numbers = [self._lines.setdefault(_line(line), len(self._lines)) for line in lines]
        if self._frames and self._frames[-1][1] == numbers:
            seconds += self._frames.pop()[0]
        self._frames.append((seconds, numbers))

    def svg(self) -> str:
        """The picture, as the text of a file."""
        total = sum(seconds for seconds, _ in self._frames)
        ends = list(accumulate(seconds for seconds, _ in self._frames))
        last = len(self._frames) - 1
        rules, groups = [], []
        for number, (seconds, lines) in enumerate(self._frames):
            begin, end = (100 * (ends[number] - seconds) / total, 100 * ends[number] / total)
            before = "0% { visibility: hidden } " if number else ""
            after = f" {end:.3f}% {{ visibility: hidden }}" if number < last else ""
            rules.append(f"@keyframes f{number} {{ {before}{begin:.3f}% {{ visibility: visible }}{after} }}")
            rules.append(
                f".f{number} {{ visibility: {'visible' if number == last else 'hidden'}; "
                f"animation: f{number} {total:.2f}s step-end infinite }}"
            )
            uses = "".join(f'<use href="#l{line}" y="{row * _LINE}"/>' for row, line in enumerate(lines))
            groups.append(f'<g class="f{number}">{uses}</g>')
        rules.append("@media (prefers-reduced-motion) { g { animation: none !important } }")
        width, height = self.width * _CELL + 2 * _MARGIN, self.height * _LINE + 2 * _MARGIN
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.1f} {height}">',
                f"<title>{escape(self.title)}</title>",
                "<style>",
                f"text {{ font: {_FONT_SIZE}px {_FONTS}; white-space: pre }}",
                *rules,
                "</style>",
                f'<rect width="100%" height="100%" rx="6" fill="{_BACKGROUND}"/>',
                f'<g transform="translate({_MARGIN} {_MARGIN})">',
                "<defs>",
                *(f'<g id="l{number}">{drawing}</g>' for drawing, number in self._lines.items()),
                "</defs>",
                *groups,
                "</g>",
                "</svg>",
                "",
            ]
        )


def _line(segments: Iterable[Segment]) -> str:
    """A line of cells, without its place: what lies behind the text, then the text."""
    behind, text = [], []
    column = 0
    for part in Segment.simplify(segments):
        width = cell_len(part.text)
        style = part.style or Style()
        color, background = _colors(style)
        x, extent = f"{column * _CELL:.1f}", f"{width * _CELL:.1f}"
        if background != _BACKGROUND:
            behind.append(f'<rect x="{x}" width="{extent}" height="{_LINE}" fill="{background}"/>')
        if part.text.strip():
            looks = ' font-weight="bold"' if style.bold else ""
            looks += ' text-decoration="underline"' if style.underline else ""
            text.append(
                f'<text x="{x}" y="{_LINE - 4}" textLength="{extent}" lengthAdjust="spacingAndGlyphs" '
                f'fill="{color}"{looks}>{escape(part.text)}</text>'
            )
        column += width
    return "".join(behind + text)


def _colors(style: Style) -> tuple[str, str]:
    color = (style.color or Color.default()).get_truecolor(SVG_EXPORT_THEME)
    behind = style.bgcolor
    background = (Color.parse(_BACKGROUND) if behind is None or behind.is_default else behind).get_truecolor(
        SVG_EXPORT_THEME
    )
    if style.reverse:
        color, background = background, color
    if style.dim:
        color = blend_rgb(color, background, _DIM)
    return color.hex, background.hex
