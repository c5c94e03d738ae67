"""A chart of seconds against events as SVG; both axes are logarithmic: what is proportional is straight."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

_WIDTH: Final = 860
_HEIGHT: Final = 460
_LEFT: Final = 80
_RIGHT: Final = 640
_TOP: Final = 50
_BOTTOM: Final = 410
_LABEL_GAP: Final = 18.0
_COLOURS: Final = ("#0b6e4f", "#1f77b4", "#6a3d9a", "#8a8a8a", "#c0392b", "#b8860b")
_STYLE: Final = "text{font:13px sans-serif;fill:#222}.title{font-size:16px}.grid{stroke:#ddd}"


@dataclass(frozen=True)
class Line:
    """One line of the chart.

    Attributes:
        points: events → seconds, both above 0.
    """

    label: str
    points: Mapping[int, float]


@dataclass(frozen=True)
class _Axis:
    """Where values lie: ``low`` at pixel ``begin``, ``high`` at pixel ``end``."""

    low: float
    high: float
    begin: float
    end: float

    def at(self, value: float) -> float:
        """Return the pixel of a value; what has no extent lies in the middle."""
        whole = math.log(self.high / self.low)
        share = math.log(value / self.low) / whole if whole else 0.5
        return round(self.begin + share * (self.end - self.begin), 1)


def chart_svg(title: str, lines: Sequence[Line]) -> str:
    """Return the chart as an SVG document; every line has at least one point."""
    sizes = sorted({events for line in lines for events in line.points})
    seconds = [value for line in lines for value in line.points.values()]
    ticks = _powers_of_ten(min(seconds), max(seconds))
    across = _Axis(sizes[0], sizes[-1], _LEFT, _RIGHT)
    up = _Axis(ticks[0], ticks[-1], _BOTTOM, _TOP)
    parts = [*_frame(title, sizes, ticks, across, up), *_lines(lines, across, up)]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">'
    return "\n".join([head, f"<title>{escape(title)}</title><style>{_STYLE}</style>", *parts, "</svg>\n"])


def _frame(title: str, sizes: Sequence[int], ticks: Sequence[float], across: _Axis, up: _Axis) -> list[str]:
    """Return background, title, grid and the axes' numbers."""
    parts = [
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
        _text(_LEFT, _TOP - 24, title, "start", ' class="title"'),
        _text((_LEFT + _RIGHT) / 2, _BOTTOM + 40, "events", "middle"),
    ]
    for tick in ticks:
        y = up.at(tick)
        parts.append(f'<path class="grid" d="M{_LEFT} {y}H{_RIGHT}"/>')
        parts.append(_text(_LEFT - 8, y + 4, _duration(tick), "end"))
    for size in sizes:
        x = across.at(size)
        parts.append(f'<path class="grid" d="M{x} {_TOP}V{_BOTTOM}"/>')
        parts.append(_text(x, _BOTTOM + 20, _count(size), "middle"))
    return parts


def _lines(lines: Sequence[Line], across: _Axis, up: _Axis) -> list[str]:
    """Return the lines with their dots, and their names with the last number at the right."""
    ends = [up.at(line.points[max(line.points)]) for line in lines]
    parts: list[str] = []
    for place, (line, label_y) in enumerate(zip(lines, _apart(ends), strict=True)):
        colour = _COLOURS[place % len(_COLOURS)]
        dots = [(across.at(events), up.at(line.points[events])) for events in sorted(line.points)]
        path = " ".join(f"{x},{y}" for x, y in dots)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x}" cy="{y}" r="3.5" fill="{colour}"/>' for x, y in dots]
        last = _duration(line.points[max(line.points)])
        parts.append(
            _text(_RIGHT + 10, label_y + 4, f"{line.label}: {last}", "start", f' style="fill:{colour}"')
        )
    return parts


def _apart(places: Sequence[float]) -> list[float]:
    """Return heights for labels near their places, from the top down, so that none covers another."""
    found = dict.fromkeys(range(len(places)), 0.0)
    free = -math.inf
    for number in sorted(found, key=places.__getitem__):
        found[number] = max(places[number], free)
        free = found[number] + _LABEL_GAP
    return list(found.values())


def _powers_of_ten(low: float, high: float) -> list[float]:
    """Return the powers of ten from at most ``low`` to at least ``high``; two at the least."""
    first = math.floor(math.log10(low))
    last = max(math.ceil(math.log10(high)), first + 1)
    return [10.0**power for power in range(first, last + 1)]


def _text(x: float, y: float, text: str, anchor: str, more: str = "") -> str:
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}"{more}>{escape(text)}</text>'


def _duration(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds >= 1 else f"{seconds * 1000:.3g} ms"


def _count(events: int) -> str:
    return f"{events / 1e6:g} M" if events >= 100_000 else f"{events:,}"
