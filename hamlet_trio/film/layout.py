"""The layout of a frame of 1920 x 1080, and its colours: those of the page's light theme."""

from typing import Final, NamedTuple

from hamlet_trio.world import METERS, WorldConfig

WIDTH: Final = 1920
HEIGHT: Final = 1080

PAPER: Final = "#f4f1ea"
SURFACE: Final = "#fffdf9"
SUNKEN: Final = "#ebe6da"
INK: Final = "#1c272b"
SOFT: Final = "#4a565a"
LINE: Final = "#dcd5c6"
ACCENT: Final = "#0d6a61"
GROUND: Final = "#ece6d6"
GROUND_OTHER: Final = "#e7e0ce"
AGENT: Final = "#2f6fed"

GOOD: Final = "#2a6b3d"
FINE: Final = "#2862a8"
LOW: Final = "#b86d00"
CRITICAL: Final = "#b3261e"

PLACE_COLOURS: Final = {
    "Bed": "#4a4fa3",
    "Shower": "#1b6fa8",
    "HomeMeal": "#4d7c0f",
    "FastFood": "#b0501a",
    "Job": "#6b5a1e",
    "Gym": "#a8324e",
    "Bar": "#7d3f9c",
    "Recreation": "#14505c",
}

PLACE_NAMES: Final = {"HomeMeal": "Home meal", "FastFood": "Fast food"}
"""Names of more than one word."""

ENDINGS: Final = {
    "energy_depleted": "Energy ran out",
    "hygiene_depleted": "Hygiene ran out",
    "satiation_depleted": "It starved",
    "mood_depleted": "Mood collapsed",
    "bankrupt": "Money ran out",
    "max_steps": "Survived to the last step",
}


class Box(NamedTuple):
    """A rectangle; right and bottom are the first pixels outside."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """The width in pixels."""
        return self.right - self.left

    @property
    def middle(self) -> tuple[int, int]:
        """The centre."""
        return (self.left + self.right) // 2, (self.top + self.bottom) // 2


MARGIN: Final = 48
GRID: Final = Box(MARGIN, MARGIN, MARGIN + 984, MARGIN + 984)
PANEL: Final = Box(1080, MARGIN, WIDTH - MARGIN, MARGIN + 984)

TIMELINE: Final = Box(PANEL.left, 264, PANEL.right, 276)
METER_TOP: Final = 400
METER_PITCH: Final = 52
Q_TOP: Final = 788
Q_PITCH: Final = 48
LABEL_WIDTH: Final = 180
VALUE_WIDTH: Final = 116


def company_row(index: int, count: int) -> Box:
    """Return where one of several agents is told of, beneath the timeline."""
    top, bottom = METER_TOP, PANEL.bottom
    height = min((bottom - top) // count, 150)
    return Box(PANEL.left, top + index * height, PANEL.right, top + (index + 1) * height)


def company_bar(row: Box, meter: int) -> Box:
    """Return the bar of one of the six meters in the row of an agent."""
    gap = 14
    left = row.left + 56
    width = (row.right - left + gap) // len(METERS)
    top = row.top + 48
    return Box(left + meter * width, top, left + (meter + 1) * width - gap, top + 18)


def cell_size(config: WorldConfig) -> int:
    """Return the side of a cell in pixels; the whole grid fits into GRID."""
    return GRID.width // max(config.width, config.height)


def cell(config: WorldConfig, x: int, y: int) -> Box:
    """Return the box of a cell."""
    size = cell_size(config)
    left = GRID.left + (GRID.width - size * config.width) // 2 + x * size
    top = GRID.top + (GRID.width - size * config.height) // 2 + y * size
    return Box(left, top, left + size, top + size)


def agent_centre(config: WorldConfig, x: int, y: int) -> tuple[int, int]:
    """Return the centre of the agent's disc: mid-cell, or beside a place's icon and name."""
    box = cell(config, x, y)
    if not any((place.x, place.y) == (x, y) for place in config.affordances):
        return box.middle
    size = cell_size(config)
    return box.left + round(size * 0.76), box.top + round(size * 0.27)


def timeline_x(step: int, steps: int) -> int:
    """Return where a step of so many lies on the timeline."""
    return TIMELINE.left + 3 + round((TIMELINE.width - 6) * min(step, steps) / max(steps, 1))


def bar(top: int, pitch: int, index: int) -> Box:
    """Return the bar in row `index` of a table of bars."""
    left, right = PANEL.left + LABEL_WIDTH, PANEL.right - VALUE_WIDTH
    middle = top + pitch * index + pitch // 2
    return Box(left, middle - 11, right, middle + 11)


def meter_bar(index: int) -> Box:
    """Return the bar of a meter, by its index in METERS; its fill is the normalised meter."""
    assert 0 <= index < len(METERS)
    return bar(METER_TOP, METER_PITCH, index)


def q_bar(action: int) -> Box:
    """Return the bar of an action's Q-value: empty for the episode's lowest, full for its highest."""
    return bar(Q_TOP, Q_PITCH, action)


def level_colour(config: WorldConfig, meter: str, part: float) -> str:
    """Return a meter's colour, by the bands of the shaped reward."""
    fine, low, critical = getattr(config.shaped, meter).above
    if part > fine:
        return GOOD
    if part > low:
        return FINE
    return LOW if part > critical else CRITICAL
