"""The icons of the page and of films, drawn with Pillow.

`icons.json`, which the page imports too, holds one stroked SVG path each, on a field of 24 x 24.
"""

from pathlib import Path
from typing import Any, Final

import msgspec
from PIL import Image, ImageDraw
from svg.path import Close, Line, Move, parse_path

ICONS: Final = msgspec.json.decode(Path(__file__).with_suffix(".json").read_bytes(), type=dict[str, str])

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

_FIELD: Final = 24
_PIECES: Final = 16  # straight pieces for one curve
_OVERSAMPLING: Final = 8


def icon(name: str, size: int, width: float) -> Image.Image:
    """Return an icon as a mask (mode "L") of `size` x `size` pixels, stroked `width` of its units wide."""
    scale = size * _OVERSAMPLING / _FIELD
    mask = Image.new("L", (size * _OVERSAMPLING,) * 2, 0)
    draw = ImageDraw.Draw(mask)
    radius = width * scale / 2
    for line in polylines(ICONS[name]):
        points = [(point.real * scale, point.imag * scale) for point in line]
        draw.line(points, fill=255, width=round(2 * radius))
        for x, y in points:  # round ends and joins
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return mask.reduce(_OVERSAMPLING)


def polylines(path: str) -> list[list[complex]]:
    """Return the lines of an SVG path, x as real and y as imaginary part, curves as short straight pieces."""
    lines: list[list[complex]] = []
    for segment in parse_path(path):
        if isinstance(segment, Move):
            lines.append([segment.end])
        else:
            lines[-1] += _points(segment)
    return lines


def _points(segment: Any) -> list[complex]:
    if isinstance(segment, Line | Close):
        return [segment.end]
    return [segment.point(piece / _PIECES) for piece in range(1, _PIECES + 1)]
