"""The pictures of places and actions, as on the page (frontend/src/components/icons.ts), drawn with Pillow.

Each is one stroked path in the language of SVG's `d` attribute on a field of 24 x 24 (SVG 2, chapter 9).
"""

import math
import re
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from PIL import Image, ImageDraw

FIELD: Final = 24.0

Point: TypeAlias = complex
"""x as the real part, y as the imaginary one."""

ICONS: Final = {
    "bed": "M3 19V6M3 16h18v3M21 16v-3a3 3 0 0 0-3-3h-7v6M3 13h8M5.500 9.500h2.500",
    "shower": "M5 21V7a3.500 3.500 0 0 1 7 0v.500M8.500 11.500a4 4 0 0 1 8 0zM9.500 15v.500M12.500 15v.500"
    "M15.500 15v.500M9 18.500v.500M12.500 18.500v.500M16 18.500v.500",
    "meal": "M3 12h18a9 9 0 0 1-5 8H8a9 9 0 0 1-5-8zM9 8.500c-1.200-1.200 1.200-2.300 0-3.500"
    "M14 8.500c-1.200-1.200 1.200-2.300 0-3.500",
    "burger": "M4 10.500C4 7 7.500 5 12 5s8 2 8 5.500zM3 14h18M5 17.500h14a3 3 0 0 1-3 2.500H8"
    "a3 3 0 0 1-3-2.500zM9 8h.01M13.500 7.500h.01",
    "briefcase": "M4 8h16a1 1 0 0 1 1 1v10a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V9a1 1 0 0 1 1-1z"
    "M8.500 8V5.500a1 1 0 0 1 1-1h5a1 1 0 0 1 1 1V8M3 13h18M12 12v2",
    "dumbbell": "M8 12h8M6.500 7v10M17.500 7v10M3.500 9.500v5M20.500 9.500v5",
    "glass": "M5 4h14l-7 8.500zM12 12.500V20M8 20h8M7.500 7h9",
    "tree": "M12 21v-6M12 3.500 6.500 10h2.500L5 15h14l-4-5h2.500zM8 21h8",
    "place": "M12 21s-6.500-6-6.500-11a6.500 6.500 0 0 1 13 0c0 5-6.500 11-6.500 11z"
    "M12 12.500a2.500 2.500 0 1 0 0-5 2.500 2.500 0 0 0 0 5z",
    "arrow-up": "M12 20V5M6 10.500 12 4.500l6 6",
    "arrow-down": "M12 4v15M6 13.500l6 6 6-6",
    "arrow-left": "M20 12H5M10.500 6l-6 6 6 6",
    "arrow-right": "M4 12h15M13.500 6l6 6-6 6",
    "interact": "M12 3v4M12 17v4M3 12h4M17 12h4M5.700 5.700l2.600 2.600M15.700 15.700l2.600 2.600"
    "M18.300 5.700l-2.600 2.600M8.300 15.700l-2.600 2.600",
}

PLACE_ICONS: Final = {
    "Bed": "bed",
    "Shower": "shower",
    "HomeMeal": "meal",
    "FastFood": "burger",
    "Job": "briefcase",
    "Gym": "dumbbell",
    "Bar": "glass",
    "Recreation": "tree",
}

_TOKEN: Final = re.compile(r"[A-Za-z]|[-+]?(?:\d*\.\d+|\d+)")
_PIECES: Final = 16  # lines that stand for one curve
_OVERSAMPLING: Final = 8


def icon(name: str, size: int, width: float) -> Image.Image:
    """An icon as a mask (mode "L") of `size` x `size` pixels; `width` is that of the stroke, in its units."""
    scale = size * _OVERSAMPLING / FIELD
    mask = Image.new("L", (size * _OVERSAMPLING,) * 2, 0)
    draw = ImageDraw.Draw(mask)
    radius = width * scale / 2
    for line in flatten(ICONS[name]):
        points = [(point.real * scale, point.imag * scale) for point in line]
        draw.line(points, fill=255, width=round(2 * radius))
        for x, y in points:  # round ends and joins
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return mask.reduce(_OVERSAMPLING)


def flatten(path: str) -> list[list[Point]]:
    """The lines that a path is made of, curves as short straight pieces. Knows what ICONS use of SVG."""
    lines: list[list[Point]] = []
    at = start = 0j
    control: Point | None = None  # the second control point of a cubic curve before, for `s`
    for command, numbers in _segments(path):
        relative = command.islower()
        origin = at if relative else 0j
        new_control = None
        match command.upper():
            case "M":
                at = start = origin + complex(*numbers)
                lines.append([at])
                continue
            case "Z":
                lines[-1].append(start)
                at = start
                lines.append([at])
                continue
            case "L":
                points = [origin + complex(*numbers)]
            case "H":
                points = [complex((at.real if relative else 0) + numbers[0], at.imag)]
            case "V":
                points = [complex(at.real, (at.imag if relative else 0) + numbers[0])]
            case "C":
                first, new_control, end = (origin + complex(*numbers[i : i + 2]) for i in (0, 2, 4))
                points = _cubic(at, first, new_control, end)
            case "S":
                first = at if control is None else 2 * at - control
                new_control, end = (origin + complex(*numbers[i : i + 2]) for i in (0, 2))
                points = _cubic(at, first, new_control, end)
            case _:
                radius, _, _, large, sweep = numbers[:5]
                points = _arc(at, origin + complex(*numbers[5:]), radius, large != sweep, bool(sweep))
        lines[-1] += points
        at, control = points[-1], new_control
    return [line for line in lines if len(line) > 1]


_COUNTS: Final = {"M": 2, "L": 2, "H": 1, "V": 1, "C": 6, "S": 4, "A": 7, "Z": 0}


def _segments(path: str) -> Iterator[tuple[str, list[float]]]:
    """Each command with its numbers; further numbers repeat the command, after `M` as `L`."""
    tokens = _TOKEN.findall(path)
    index, command = 0, ""
    while index < len(tokens):
        if tokens[index].isalpha():
            command = tokens[index]
            index += 1
        count = _COUNTS[command.upper()]
        yield command, [float(token) for token in tokens[index : index + count]]
        index += count
        command = {"M": "L", "m": "l"}.get(command, command)


def _curve(function: Callable[[float], Point]) -> list[Point]:
    return [function(piece / _PIECES) for piece in range(1, _PIECES + 1)]


def _cubic(a: Point, b: Point, c: Point, d: Point) -> list[Point]:
    return _curve(lambda t: (1 - t) ** 3 * a + 3 * (1 - t) ** 2 * t * b + 3 * (1 - t) * t**2 * c + t**3 * d)


def _arc(begin: Point, end: Point, radius: float, left: bool, clockwise: bool) -> list[Point]:
    """A circle's arc (SVG 2, appendix B.2.4, for equal radii)."""
    chord = end - begin
    half = abs(chord) / 2
    height = math.sqrt(max(radius**2 - half**2, 0))
    centre = (begin + end) / 2 + (1 if left else -1) * 1j * chord / abs(chord) * height
    first = math.atan2((begin - centre).imag, (begin - centre).real)
    turn = math.atan2((end - centre).imag, (end - centre).real) - first
    turn = turn % math.tau if clockwise else -(-turn % math.tau)
    size = abs(begin - centre)
    return _curve(lambda t: centre + size * complex(math.cos(first + t * turn), math.sin(first + t * turn)))
