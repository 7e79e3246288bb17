"""Draw a report as SVG: each figure is a mark at its median, on a line from least to most of the rounds.

A filled circle is ours, an open square stands beside it for comparison, a bar is a target. Values of one unit
share a scale.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

from bench import REPOSITORY
from bench.suite.figures import Figure, Report
from bench.suite.goals import reached
from bench.suite.table import amount
from bench.svg import FAINT, INK, RULE, document, element

IMAGES: Final = REPOSITORY / "docs" / "images"
_OURS, _BESIDE, _TARGET = "#00796b", "#d84315", "#5e35b1"
_WIDTH, _NAMES, _SCALE = 860, 330, 400
_LINE, _HEAD, _LEGEND, _GAP = 22, 30, 34, 10
_LOGARITHMIC: Final = 30.0  # from this ratio of the largest to the smallest value on


class Scale(Struct, frozen=True):
    """Map a value to its place on the scale, from 0 to 1."""

    low: float
    high: float
    logarithmic: bool

    def share(self, value: float) -> float:
        """Return the value's place."""
        if self.logarithmic:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return value / self.high


def scale(values: Sequence[float]) -> Scale:
    """Return a scale from 0 for these values, or a logarithmic one if they lie far apart."""
    positive = [value for value in values if value > 0]
    if not positive:
        return Scale(0.0, 1.0, False)
    low, high = min(positive), max(positive)
    if high / low > _LOGARITHMIC and len(positive) == len(values):
        return Scale(low / 1.5, high * 1.1, True)
    return Scale(0.0, high * 1.05, False)


def picture(report: Report) -> str:
    """Return the SVG of a report."""
    targets = {figure.name: goal.target for goal, figure in reached(report)}
    units: dict[str, list[Figure]] = {}
    for figure in report.figures:
        units.setdefault(figure.unit, []).append(figure)
    parts: list[str] = []
    y = 0.0
    for unit, figures in units.items():
        parts += _panel(y, unit, figures, targets)
        y += _HEAD + _LINE * len(figures) + _GAP
    parts += _legend(y + _LEGEND / 2)
    words = f"{report.benchmark}: medians of {report.rounds} rounds, from least to most"
    return document(_WIDTH, y + _LEGEND, words, parts)


def _panel(top: float, unit: str, figures: list[Figure], targets: dict[str, float]) -> Iterable[str]:
    values = [value for figure in figures for value in figure.values]
    found = scale([*values, *(targets[figure.name] for figure in figures if figure.name in targets)])
    heading = {"x": "ratio", "": "number"}.get(unit, unit)
    if found.logarithmic:
        heading += ", logarithmic scale"
    yield element("text", heading, x=_NAMES, y=top + 20, font_weight=600, fill=INK)
    for index, figure in enumerate(figures):
        middle = top + _HEAD + _LINE * index + _LINE / 2
        yield from _row(middle, figure, found, targets.get(figure.name))


def _row(middle: float, figure: Figure, found: Scale, target: float | None) -> Iterable[str]:
    def x(value: float) -> float:
        return round(_NAMES + _SCALE * found.share(value), 1)

    yield element("line", x1=_NAMES, x2=_NAMES + _SCALE, y1=middle, y2=middle, stroke=RULE)
    yield element("text", figure.name, x=_NAMES - 10, y=middle + 4, text_anchor="end", fill=INK)
    colour = _BESIDE if figure.beside else _OURS
    if target is not None:
        yield _bar(x(target), middle)
    yield element(
        "line", x1=x(figure.low), x2=x(figure.high), y1=middle, y2=middle, stroke=colour, stroke_width=2
    )
    yield _mark(x(figure.median), middle, beside=figure.beside)
    yield element("text", amount(figure.median, figure.unit), x=_NAMES + _SCALE + 12, y=middle + 4, fill=INK)


def _mark(x: float, y: float, *, beside: bool) -> str:
    if beside:
        return element(
            "rect", x=x - 4, y=y - 4, width=8, height=8, fill="#ffffff", stroke=_BESIDE, stroke_width=2
        )
    return element("circle", cx=x, cy=y, r=5, fill=_OURS)


def _bar(x: float, y: float) -> str:
    return element("line", x1=x, x2=x, y1=y - 8, y2=y + 8, stroke=_TARGET, stroke_width=3)


def _legend(y: float) -> Iterable[str]:
    yield _mark(_NAMES + 5, y, beside=False)
    yield element("text", "Hamlet", x=_NAMES + 16, y=y + 4, fill=FAINT)
    yield _mark(_NAMES + 90, y, beside=True)
    yield element("text", "beside it", x=_NAMES + 101, y=y + 4, fill=FAINT)
    yield _bar(_NAMES + 180, y)
    yield element("text", "target", x=_NAMES + 190, y=y + 4, fill=FAINT)
