"""Learning curves as an SVG: a panel for each length of run, with the spread over seeds."""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from bench.learning.configurations import CONFIGURATIONS
from bench.learning.playing import CAP
from bench.learning.results import Result
from bench.svg import FAINT, INK, RULE, document, element

_WIDTH, _HEIGHT = 300, 220
_LEFT, _TOP, _GAP, _BELOW = 46, 34, 22, 44
_LEGEND_LINE = 18
_NARROWEST = 600  # for the legend
_COLOURS: Final = {
    "default": "#00796b",
    "egocentric": "#f9a825",
    "bare": "#ad1457",
    "older": "#d84315",
    "sb3-dqn": "#5e35b1",
    "sb3-ppo": "#1e66c8",
    "random": "#616161",
}
_SHARES: Final = np.linspace(0.05, 1.0, 20)


class Band(Struct, frozen=True):
    """Survival over the run: minimum, median and maximum over seeds, each at twenty shares of the run."""

    low: list[float]
    median: list[float]
    high: list[float]


def band(results: Sequence[Result]) -> Band:
    """The spread of learning curves; evaluations hold until the next one."""
    curves = np.array([_at_shares(result) for result in results])
    return Band(
        low=curves.min(axis=0).tolist(),
        median=np.median(curves, axis=0).tolist(),
        high=curves.max(axis=0).tolist(),
    )


def _at_shares(result: Result) -> NDArray[np.float64]:
    """Survival at each share; a run of ours is divided by episodes, another by steps."""
    if result.configuration.startswith("sb3"):
        at = np.array([point.steps / result.steps for point in result.curve])
    else:
        at = np.array([point.episode / result.episodes for point in result.curve])
    survival = np.array([point.survival for point in result.curve])
    # A hair of tolerance, so that an evaluation exactly at a share counts for it.
    latest = np.searchsorted(at, _SHARES + 1e-9, side="right") - 1
    return survival[np.maximum(latest, 0)]


def picture(results: Iterable[Result]) -> str:
    """The SVG of all lengths of run for which the default learner has results."""
    groups: dict[tuple[int, str], list[Result]] = {}
    for result in results:
        if result.configuration in _COLOURS:
            groups.setdefault((result.episodes, result.configuration), []).append(result)
    lengths = sorted(episodes for episodes, name in groups if name == "default")
    chance = float(np.median([one.survival for one in groups.get((0, "random"), [])] or [0.0]))
    width = max(_LEFT + len(lengths) * (_WIDTH + _GAP), _NARROWEST)
    height = _TOP + _HEIGHT + _BELOW + _LEGEND_LINE
    parts: list[str] = []
    for index, episodes in enumerate(lengths):
        shown = {name: groups[episodes, name] for name in _COLOURS if (episodes, name) in groups}
        parts += _panel(_LEFT + index * (_WIDTH + _GAP), episodes, shown, chance, first=index == 0)
    used = [name for name in _COLOURS if any((n, name) in groups for n in (*lengths, 0))]
    parts += _legend(used, height - 10)
    title = "Greedy survival over the run: median of the seeds, from lowest to highest"
    return document(width, height, title, parts)


def _panel(
    left: float, episodes: int, shown: dict[str, list[Result]], chance: float, *, first: bool
) -> Iterable[str]:
    seeds = ", ".join(f"{len(found)} of {_short(name)}" for name, found in shown.items())
    yield element("text", f"{episodes:,} episodes", x=left, y=14, font_weight=600, fill=INK)
    yield element("text", f"seeds: {seeds}", x=left, y=28, font_size=9, fill=FAINT)
    for level in range(0, CAP + 1, 100):
        y = _y(level)
        yield element("line", x1=left, x2=left + _WIDTH, y1=y, y2=y, stroke=RULE)
        if first:
            yield element("text", str(level), x=left - 6, y=y + 4, text_anchor="end", fill=FAINT)
    # The outer ones inwards, or those of two panels run into each other.
    for share, anchor in ((0, "start"), (0.5, "middle"), (1, "end")):
        yield element(
            "text", f"{share:.0%}", x=_x(left, share), y=_TOP + _HEIGHT + 16, text_anchor=anchor, fill=FAINT
        )
    y = _y(chance)
    chance_colour = _COLOURS["random"]
    yield element("line", x1=left, x2=left + _WIDTH, y1=y, y2=y, stroke=chance_colour, stroke_dasharray="2 3")
    for name, found in shown.items():
        spread, colour = band(found), _COLOURS[name]
        if name == "default":
            outline = _path(left, spread.low) + _path(left, spread.high)[::-1]
            yield element("polygon", points=" ".join(outline), fill=colour, opacity=0.18)
        yield element(
            "polyline",
            points=" ".join(_path(left, spread.median)),
            fill="none",
            stroke=colour,
            stroke_width=2.5 if name == "default" else 1.5,
        )


def _legend(names: Sequence[str], y: float) -> Iterable[str]:
    x = float(_LEFT)
    for name in names:
        dash = {"stroke_dasharray": "2 3"} if name == "random" else {}
        yield element(
            "line", x1=x, x2=x + 18, y1=y - 4, y2=y - 4, stroke=_COLOURS[name], stroke_width=2.5, **dash
        )
        yield element("text", _short(name), x=x + 23, y=y, fill=INK)
        x += 40 + 7 * len(_short(name))


def _short(name: str) -> str:
    words = CONFIGURATIONS[name].what.partition(",")[0].removeprefix("the ").removesuffix(" learner")
    return words.replace("stable-baselines3", "SB3")


def _path(left: float, values: Sequence[float]) -> list[str]:
    return [f"{_x(left, share)},{_y(value)}" for share, value in zip(_SHARES.tolist(), values, strict=True)]


def _x(left: float, share: float) -> float:
    return round(left + share * _WIDTH, 1)


def _y(value: float) -> float:
    return round(_TOP + _HEIGHT * (1 - value / CAP), 1)
