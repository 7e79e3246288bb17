"""Draw an episode's frames off screen, with Pillow.

The background is drawn once, at three times the size for smooth edges. A frame is a copy of it with a few
small images pasted on: a few milliseconds.
"""

from collections.abc import Callable
from functools import cache
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from hamlet_trio.film import layout
from hamlet_trio.film.icons import PLACE_ICONS, icon
from hamlet_trio.film.layout import Box
from hamlet_trio.recording.file import Recording
from hamlet_trio.recording.trajectory import Trajectory
from hamlet_trio.world import ACTIONS, INTERACT, METERS

_OVERSAMPLING: Final = 3
_TRAIL: Final = 12
_ACTION_ICONS: Final = ("arrow-up", "arrow-down", "arrow-left", "arrow-right", "interact")
_MARK_COLOURS: Final = {"interaction": layout.ACCENT, "critical": layout.CRITICAL, "end": layout.INK}
_FAILED: Final = "nothing to use"


class Painter:
    """Draw the frames of one recording, in any order."""

    def __init__(self, recording: Recording, trajectory: Trajectory) -> None:
        self._recording = recording
        self._trajectory = trajectory
        self._config = trajectory.config
        self._returns = trajectory.returns()
        self._q_values = recording.q_values
        self._background = self._paint_background()
        size = layout.cell_size(self._config)
        self._agent = _token(size)
        self._dot = _disc(max(size // 7, 3))
        self._ring = _ring(size)

    def paint(self, step: int) -> Image.Image:
        """Return the frame of a step, 0 to N: RGB, 1920 x 1080."""
        image = self._background.copy()
        draw = ImageDraw.Draw(image)
        self._paint_agent(image, step)
        self._paint_counters(image, draw, step)
        self._paint_meters(image, draw, step)
        if self._q_values is not None:
            self._paint_q_values(image, draw, self._q_values, step)
        if self._trajectory.over and step == self._trajectory.steps:
            self._paint_ending(image)
        return image

    # --- the background ------------------------------------------------------------------------------------

    def _paint_background(self) -> Image.Image:
        scale = _OVERSAMPLING
        image = Image.new("RGB", (layout.WIDTH * scale, layout.HEIGHT * scale), layout.PAPER)
        draw = ImageDraw.Draw(image)

        def rounded(box: Box, radius: int, fill: str, outline: str | None = None, width: int = 0) -> None:
            corners = [value * scale for value in box]
            draw.rounded_rectangle(corners, radius * scale, fill, outline, width * scale)

        self._shape_grid(rounded)
        rounded(layout.TIMELINE, 6, layout.SUNKEN)
        for index in range(len(METERS)):
            rounded(layout.meter_bar(index), 11, layout.SUNKEN)
        for action in range(len(ACTIONS)) if self._q_values is not None else ():
            rounded(layout.q_bar(action), 11, layout.SUNKEN)
        image = image.reduce(scale)
        self._name_places(image)
        self._title(image)
        return image

    def _shape_grid(self, rounded: Callable[..., None]) -> None:
        config = self._config
        for y in range(config.height):
            for x in range(config.width):
                box = layout.cell(config, x, y)
                fill = layout.GROUND if (x + y) % 2 == 0 else layout.GROUND_OTHER
                rounded(box, 0, fill)
        size = layout.cell_size(config)
        inset = max(size // 20, 1)
        for place in config.affordances:
            box = layout.cell(config, place.x, place.y)
            tile = Box(box.left + inset, box.top + inset, box.right - inset, box.bottom - inset)
            hue = _mixed(layout.PLACE_COLOURS.get(place.name, layout.SOFT), layout.SURFACE, 0.55)
            rounded(tile, size // 6, layout.SURFACE, hue, max(size // 42, 1))

    def _name_places(self, image: Image.Image) -> None:
        draw = ImageDraw.Draw(image)
        size = layout.cell_size(self._config)
        for place in self._config.affordances:
            box = layout.cell(self._config, place.x, place.y)
            colour = layout.PLACE_COLOURS.get(place.name, layout.SOFT)
            mask = icon(PLACE_ICONS.get(place.name, "place"), round(size * 0.46), 1.7)
            image.paste(colour, (box.left + round(size * 0.27), box.top + round(size * 0.13)), mask)
            if size >= 60:
                name = layout.PLACE_NAMES.get(place.name, place.name)
                at = (box.middle[0], box.top + round(size * 0.78))
                _text(draw, at, name, round(size * 0.155), anchor="mm", bold=True)

    def _title(self, image: Image.Image) -> None:
        draw = ImageDraw.Draw(image)
        info = self._recording.info
        left, right = layout.PANEL.left, layout.PANEL.right
        who = info.model or ("An agent in training" if info.source == "training" else "An untrained agent")
        size = 46
        while _font(size).getlength(who) > layout.PANEL.width and size > 20:
            size -= 2
        _text(draw, (left, 76), who, size, anchor="lm", bold=True)
        about = f"Episode {info.episode}"
        if info.run_id is not None:
            about += f" of run {info.run_id}"
        _text(draw, (left, 124), about, 26, colour=layout.SOFT, anchor="lm")
        for mark in info.markers:
            if mark.kind == "critical":
                x = self._timeline_x(mark.step)
                draw.rectangle(
                    (x - 1, layout.TIMELINE.bottom + 5, x + 1, layout.TIMELINE.bottom + 15), layout.CRITICAL
                )
            elif mark.kind == "interaction":
                x = self._timeline_x(mark.step)
                draw.rectangle(
                    (x - 1, layout.TIMELINE.top - 15, x + 1, layout.TIMELINE.top - 5), layout.ACCENT
                )
        _text(draw, (left, layout.METER_TOP - 26), "Meters", 26, colour=layout.SOFT, anchor="lm", bold=True)
        for index, meter in enumerate(METERS):
            middle = layout.meter_bar(index).middle[1]
            _text(draw, (left, middle), meter.capitalize(), 28, anchor="lm")
        if self._q_values is None:
            return
        heading = "What the model expects of each action"
        _text(draw, (left, layout.Q_TOP - 26), heading, 26, colour=layout.SOFT, anchor="lm", bold=True)
        _text(draw, (right, layout.Q_TOP - 26), "Q-value", 22, colour=layout.SOFT, anchor="rm")

    # --- each frame ----------------------------------------------------------------------------------------

    def _timeline_x(self, step: int) -> int:
        box = layout.TIMELINE
        return box.left + 3 + round((box.width - 6) * step / self._trajectory.steps)

    def _paint_agent(self, image: Image.Image, step: int) -> None:
        positions = self._trajectory.positions
        for back in range(min(_TRAIL, step), 0, -1):
            x, y = layout.agent_centre(self._config, *positions[step - back].tolist())
            strength = 0.5 * (1 - back / (_TRAIL + 1))
            mask = self._dot.point([round(value * strength) for value in range(256)])
            image.paste(layout.AGENT, (x - mask.width // 2, y - mask.height // 2), mask)
        x, y = layout.agent_centre(self._config, *positions[step].tolist())
        if step and self._trajectory.actions[step] == INTERACT:
            worked = self._trajectory.interacted[step] >= 0
            colour = layout.ACCENT if worked else layout.CRITICAL
            image.paste(colour, (x - self._ring.width // 2, y - self._ring.height // 2), self._ring)
        token = self._agent
        image.paste(token, (x - token.width // 2, y - token.height // 2), token)

    def _paint_counters(self, image: Image.Image, draw: ImageDraw.ImageDraw, step: int) -> None:
        trajectory = self._trajectory
        left, right = layout.PANEL.left, layout.PANEL.right
        _text(draw, (left, 196), f"Step {step}", 52, anchor="lm", bold=True)
        at = left + round(_font(52).getlength(f"Step {step}")) + 18
        _text(draw, (at, 202), f"of {trajectory.steps}", 30, colour=layout.SOFT, anchor="lm")
        _text(draw, (right, 188), _signed(self._returns[step], 1), 40, anchor="rm", bold=True)
        _text(draw, (right, 222), "return so far", 22, colour=layout.SOFT, anchor="rm")
        box = layout.TIMELINE
        x = self._timeline_x(step)
        draw.rectangle((box.left + 3, box.top + 3, x, box.bottom - 4), layout.ACCENT)
        draw.ellipse((x - 10, box.middle[1] - 10, x + 10, box.middle[1] + 10), layout.ACCENT)
        if step == 0:
            _text(draw, (left, 318), "The episode begins", 28, colour=layout.SOFT, anchor="lm")
            return
        action = int(trajectory.actions[step])
        image.paste(layout.INK, (left, 302), icon_of_action(action))
        _text(draw, (left + 46, 318), self._action_text(step, action), 28, anchor="lm")
        reward = f"reward {_signed(trajectory.rewards[step], 2)}"
        _text(draw, (right, 318), reward, 28, colour=layout.SOFT, anchor="rm")

    def _action_text(self, step: int, action: int) -> str:
        if action != INTERACT:
            return ACTIONS[action].capitalize()
        used = int(self._trajectory.interacted[step])
        if used < 0:
            return f"Interact: {_FAILED}"
        name = self._config.affordances[used].name
        return f"Interact: {layout.PLACE_NAMES.get(name, name)}"

    def _paint_meters(self, image: Image.Image, draw: ImageDraw.ImageDraw, step: int) -> None:
        for index, meter in enumerate(METERS):
            part = float(self._trajectory.normalised[step, index])
            colour = layout.level_colour(self._config, meter, part)
            box = layout.meter_bar(index)
            _fill(image, box, part, colour)
            value = f"{100 * part:.0f}%"
            if meter == "money":
                value = _signed(self._trajectory.meters[step, index], 0, plus=False)
            critical = colour == layout.CRITICAL
            shown = layout.CRITICAL if critical else layout.INK
            _text(
                draw, (layout.PANEL.right, box.middle[1]), value, 28, colour=shown, anchor="rm", bold=critical
            )

    def _paint_q_values(
        self, image: Image.Image, draw: ImageDraw.ImageDraw, q_values: np.ndarray, step: int
    ) -> None:
        """Paint the Q-values that the step's action was chosen from; at step 0 those of the first action."""
        lowest, highest = float(q_values.min()), float(q_values.max())
        values = q_values[max(step - 1, 0)].tolist()
        best = values.index(max(values))
        chosen = int(self._trajectory.actions[step]) if step else None
        for action, value in enumerate(values):
            box = layout.q_bar(action)
            part = (value - lowest) / (highest - lowest) if highest > lowest else 1.0
            _fill(image, box, part, layout.AGENT if action == best else "#a9b6bf")
            bold = action == chosen
            name = ACTIONS[action].capitalize()
            image.paste(layout.INK, (layout.PANEL.left, box.middle[1] - 16), icon_of_action(action))
            _text(draw, (layout.PANEL.left + 46, box.middle[1]), name, 26, anchor="lm", bold=bold)
            shown = _signed(value, 2)
            _text(draw, (layout.PANEL.right, box.middle[1]), shown, 26, anchor="rm", bold=bold)

    def _paint_ending(self, image: Image.Image) -> None:
        trajectory = self._trajectory
        ending = layout.ENDINGS.get(trajectory.failure_reason or "max_steps", "The episode is over")
        colour = layout.CRITICAL if trajectory.terminated else layout.GOOD
        # In the half of the grid without the agent.
        upper = trajectory.positions[-1, 1] >= self._config.height / 2
        middle = layout.GRID.top + (layout.GRID.bottom - layout.GRID.top) * (1 if upper else 3) // 4
        image.paste(colour, (layout.GRID.left, middle - 54, layout.GRID.right, middle + 54))
        draw = ImageDraw.Draw(image)
        text = f"{ending} after {trajectory.steps} steps" if trajectory.terminated else ending
        _text(draw, (layout.GRID.middle[0], middle), text, 52, colour="#ffffff", anchor="mm", bold=True)


# --- shared parts -----------------------------------------------------------------------------------------


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)  # every wheel of Pillow carries FreeType
    return font


def _text(
    draw: ImageDraw.ImageDraw,
    at: tuple[int, int],
    text: str,
    size: int,
    *,
    colour: str = layout.INK,
    anchor: str,
    bold: bool = False,
) -> None:
    # The font has one weight; a stroke of a fraction of a pixel makes it bold.
    draw.text(at, text, colour, _font(size), anchor, stroke_width=size / 48 if bold else 0)


def _signed(value: float, digits: int, *, plus: bool = True) -> str:
    """Format a number with an en dash as minus sign: the only one in the font as wide as its plus."""
    text = f"{abs(value):.{digits}f}"
    if float(text) == 0:
        return text
    return f"\u2013{text}" if value < 0 else f"+{text}" if plus else text


def _mixed(one: str, other: str, share: float) -> str:
    """Return a mix of two colours, `share` of the first."""
    parts = [
        round(share * int(one[i : i + 2], 16) + (1 - share) * int(other[i : i + 2], 16)) for i in (1, 3, 5)
    ]
    return "#" + "".join(f"{part:02x}" for part in parts)


@cache
def icon_of_action(action: int) -> Image.Image:
    """Return the icon of an action, as a mask of 32 x 32 pixels."""
    return icon(_ACTION_ICONS[action], 32, 2.4)


@cache
def _bar(width: int, height: int, colour: str) -> Image.Image:
    """Return a full bar with round ends, in its colour on the page's background."""
    scale = _OVERSAMPLING
    image = Image.new("RGB", (width * scale, height * scale), layout.PAPER)
    corners = (0, 0, width * scale - 1, height * scale - 1)
    ImageDraw.Draw(image).rounded_rectangle(corners, height * scale // 2, colour)
    return image.reduce(scale)


def _fill(image: Image.Image, box: Box, part: float, colour: str) -> None:
    """Fill `part` of a bar, 0 to 1, from the left."""
    width = round(box.width * min(max(part, 0.0), 1.0))
    if width > 0:
        whole = _bar(box.width, box.bottom - box.top, colour)
        image.paste(whole.crop((0, 0, width, whole.height)), (box.left, box.top))


def _disc(diameter: int) -> Image.Image:
    scale = 8
    mask = Image.new("L", (diameter * scale,) * 2, 0)
    ImageDraw.Draw(mask).ellipse((0, 0, diameter * scale - 1, diameter * scale - 1), 255)
    return mask.reduce(scale)


def _ring(size: int) -> Image.Image:
    scale = 4
    side = round(size * 0.7)
    mask = Image.new("L", (side * scale,) * 2, 0)
    width = max(size // 18, 2) * scale
    ImageDraw.Draw(mask).ellipse((0, 0, side * scale - 1, side * scale - 1), None, 255, width)
    return mask.reduce(scale)


def _token(size: int) -> Image.Image:
    """Return the agent: a disc with a light ring inside a thin dark one, RGBA."""
    side = round(size * 0.5)
    token = Image.new("RGBA", (side, side), layout.INK)
    token.putalpha(_disc(side))
    for colour, share in (("#ffffff", 0.95), (layout.AGENT, 0.8)):
        disc = _disc(round(side * share))
        at = (side - disc.width) // 2
        token.paste(Image.new("RGBA", disc.size, colour), (at, at), disc)
    return token
