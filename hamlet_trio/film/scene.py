"""Draw one moment of a world: the grid with its agent, the counters and the meters.

The background is drawn once, at three times the size for smooth edges. A frame is a copy of it with a few
small images pasted on: a few milliseconds.
"""

from collections.abc import Callable, Sequence
from typing import Final

from msgspec import Struct
from PIL import Image, ImageDraw

from hamlet_trio.film import layout
from hamlet_trio.film.brushes import (
    OVERSAMPLING,
    action_icon,
    agent_token,
    disc,
    fill_bar,
    font,
    mixed,
    ring,
    signed,
    text_at,
)
from hamlet_trio.film.icons import PLACE_ICONS, icon
from hamlet_trio.film.layout import Box
from hamlet_trio.world import ACTIONS, INTERACT, METERS, WorldConfig

TRAIL: Final = 12
"""Earlier cells that a frame shows, at most."""

_FAILED: Final = "nothing to use"


class Scene(Struct, frozen=True, kw_only=True):
    """What a frame shows.

    Attributes:
        step, steps: the step, and the last one of the episode.
        cells: (x, y) of the last steps, the present cell last.
        action: what was done in this step; None at step 0.
        used: the index in `config.affordances` of what was used, or -1.
        reward, total: the reward of this step, and the return so far.
        meters, normalised: the six meters, raw and as parts of 1.
        others: the cells of other agents.
        waits_for: the letter of the agent that uses the place instead, or None.
    """

    step: int
    steps: int
    cells: Sequence[tuple[int, int]]
    action: int | None
    used: int
    reward: float
    total: float
    meters: Sequence[float]
    normalised: Sequence[float]
    others: Sequence[tuple[int, int]] = ()
    waits_for: str | None = None


class Ending(Struct, frozen=True):
    """How an episode ended: which meter failed, or None for the step limit; and when, if not at this step."""

    failure_reason: str | None
    steps: int | None = None


class ScenePainter:
    """Draw scenes of one world, in any order: RGB, 1920 x 1080."""

    def __init__(self, config: WorldConfig, *, title: str, about: str, colour: str = layout.AGENT) -> None:
        self.config = config
        self._colour = colour
        self.background = self._paint_background(title, about)
        size = layout.cell_size(config)
        self._agent = agent_token(size)
        self._dot = disc(max(size // 7, 3))
        self._ring = ring(size)
        self._other = disc(2 * self._dot.width)

    def paint(self, scene: Scene, ending: Ending | None = None) -> Image.Image:
        """Return the frame of a scene, with a band across the grid where the episode has ended."""
        image = self.background.copy()
        draw = ImageDraw.Draw(image)
        self._paint_agent(image, scene)
        self._paint_counters(image, draw, scene)
        self._paint_meters(image, draw, scene)
        if ending is not None:
            self._paint_ending(image, scene, ending)
        return image

    # --- the background ------------------------------------------------------------------------------------

    def _paint_background(self, title: str, about: str) -> Image.Image:
        scale = OVERSAMPLING
        image = Image.new("RGB", (layout.WIDTH * scale, layout.HEIGHT * scale), layout.PAPER)
        draw = ImageDraw.Draw(image)

        def rounded(box: Box, radius: int, fill: str, outline: str | None = None, width: int = 0) -> None:
            corners = [value * scale for value in box]
            draw.rounded_rectangle(corners, radius * scale, fill, outline, width * scale)

        self._shape_grid(rounded)
        rounded(layout.TIMELINE, 6, layout.SUNKEN)
        self.shape_meters(rounded)
        self.shape_more(rounded)
        image = image.reduce(scale)
        self._name_places(image)
        self._write_title(image, title, about)
        return image

    def shape_meters(self, rounded: Callable[..., None]) -> None:
        """Draw the empty bars of the meters."""
        for index in range(len(METERS)):
            rounded(layout.meter_bar(index), 11, layout.SUNKEN)

    def shape_more(self, rounded: Callable[..., None]) -> None:
        """Draw further shapes of the background; a subclass has them."""

    def _shape_grid(self, rounded: Callable[..., None]) -> None:
        config = self.config
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
            hue = mixed(layout.PLACE_COLOURS[place.shown_type], layout.SURFACE, 0.55)
            rounded(tile, size // 6, layout.SURFACE, hue, max(size // 42, 1))

    def _name_places(self, image: Image.Image) -> None:
        draw = ImageDraw.Draw(image)
        size = layout.cell_size(self.config)
        for place in self.config.affordances:
            box = layout.cell(self.config, place.x, place.y)
            colour = layout.PLACE_COLOURS[place.shown_type]
            mask = icon(PLACE_ICONS[place.shown_type], round(size * 0.46), 1.7)
            image.paste(colour, (box.left + round(size * 0.27), box.top + round(size * 0.13)), mask)
            if size >= 60:
                name = layout.PLACE_NAMES.get(place.name, place.name)
                at = (box.middle[0], box.top + round(size * 0.78))
                text_at(draw, at, name, round(size * 0.155), anchor="mm", bold=True)

    def _write_title(self, image: Image.Image, title: str, about: str) -> None:
        draw = ImageDraw.Draw(image)
        left = layout.PANEL.left
        size = 46
        while font(size).getlength(title) > layout.PANEL.width and size > 20:
            size -= 2
        text_at(draw, (left, 76), title, size, anchor="lm", bold=True)
        text_at(draw, (left, 124), about, 26, colour=layout.SOFT, anchor="lm")
        self.name_meters(draw)

    def name_meters(self, draw: ImageDraw.ImageDraw) -> None:
        """Write the heading and the names of the meters."""
        left = layout.PANEL.left
        text_at(draw, (left, layout.METER_TOP - 26), "Meters", 26, colour=layout.SOFT, anchor="lm", bold=True)
        for index, meter in enumerate(METERS):
            middle = layout.meter_bar(index).middle[1]
            text_at(draw, (left, middle), meter.capitalize(), 28, anchor="lm")

    # --- each frame ----------------------------------------------------------------------------------------

    def _paint_agent(self, image: Image.Image, scene: Scene) -> None:
        *trail, present = scene.cells[-TRAIL - 1 :]
        for back, cell in zip(range(len(trail), 0, -1), trail, strict=True):
            x, y = layout.agent_centre(self.config, *cell)
            strength = 0.5 * (1 - back / (TRAIL + 1))
            mask = self._dot.point([round(value * strength) for value in range(256)])
            image.paste(self._colour, (x - mask.width // 2, y - mask.height // 2), mask)
        self.paint_others(image, scene)
        x, y = layout.agent_centre(self.config, *present)
        if scene.action == INTERACT:
            colour = layout.ACCENT if scene.used >= 0 else layout.CRITICAL
            image.paste(colour, (x - self._ring.width // 2, y - self._ring.height // 2), self._ring)
        token = self.token_of(scene)
        image.paste(token, (x - token.width // 2, y - token.height // 2), token)

    def token_of(self, scene: Scene) -> Image.Image:
        """Return how the agent is drawn in a scene, RGBA."""
        return self._agent

    def paint_others(self, image: Image.Image, scene: Scene) -> None:
        """Paint the other agents, beneath the one that the frame is about."""
        for cell in scene.others:
            x, y = layout.agent_centre(self.config, *cell)
            image.paste(layout.SOFT, (x - self._dot.width, y - self._dot.height), self._other)

    def _paint_counters(self, image: Image.Image, draw: ImageDraw.ImageDraw, scene: Scene) -> None:
        left, right = layout.PANEL.left, layout.PANEL.right
        paint_progress(draw, scene.step, scene.steps)
        text_at(draw, (right, 188), signed(scene.total, 1), 40, anchor="rm", bold=True)
        text_at(draw, (right, 222), "return so far", 22, colour=layout.SOFT, anchor="rm")
        if scene.action is None:
            text_at(draw, (left, 318), "The episode begins", 28, colour=layout.SOFT, anchor="lm")
            return
        image.paste(layout.INK, (left, 302), action_icon(scene.action))
        words = self._action_words(scene.action, scene.used)
        if scene.waits_for is not None:
            words = f"Waits for {scene.waits_for}"
        text_at(draw, (left + 46, 318), words, 28, anchor="lm")
        reward = f"reward {signed(scene.reward, 2)}"
        text_at(draw, (right, 318), reward, 28, colour=layout.SOFT, anchor="rm")

    def _action_words(self, action: int, used: int) -> str:
        if action != INTERACT:
            return ACTIONS[action].capitalize()
        if used < 0:
            return f"Interact: {_FAILED}"
        name = self.config.affordances[used].name
        return f"Interact: {layout.PLACE_NAMES.get(name, name)}"

    def _paint_meters(self, image: Image.Image, draw: ImageDraw.ImageDraw, scene: Scene) -> None:
        for index, (meter, part) in enumerate(zip(METERS, scene.normalised, strict=True)):
            colour = layout.level_colour(self.config, meter, part)
            box = layout.meter_bar(index)
            fill_bar(image, box, part, colour)
            value = f"{100 * part:.0f}%"
            if meter == "money":
                value = signed(scene.meters[index], 0, plus=False)
            critical = colour == layout.CRITICAL
            shown = layout.CRITICAL if critical else layout.INK
            at = (layout.PANEL.right, box.middle[1])
            text_at(draw, at, value, 28, colour=shown, anchor="rm", bold=critical)

    def _paint_ending(self, image: Image.Image, scene: Scene, ending: Ending) -> None:
        words = layout.ENDINGS.get(ending.failure_reason or "max_steps", "The episode is over")
        failed = ending.failure_reason is not None
        text = f"{words} after {ending.steps or scene.step} steps" if failed else words
        # In the half of the grid without the agent.
        upper = scene.cells[-1][1] >= self.config.height / 2
        paint_band(image, text, layout.CRITICAL if failed else layout.GOOD, upper=upper)


def paint_progress(draw: ImageDraw.ImageDraw, step: int, steps: int) -> None:
    """Paint the number of the step, and how far it is on the timeline."""
    left = layout.PANEL.left
    text_at(draw, (left, 196), f"Step {step}", 52, anchor="lm", bold=True)
    at = left + round(font(52).getlength(f"Step {step}")) + 18
    text_at(draw, (at, 202), f"of {steps}", 30, colour=layout.SOFT, anchor="lm")
    box = layout.TIMELINE
    x = layout.timeline_x(step, steps)
    draw.rectangle((box.left + 3, box.top + 3, x, box.bottom - 4), layout.ACCENT)
    draw.ellipse((x - 10, box.middle[1] - 10, x + 10, box.middle[1] + 10), layout.ACCENT)


def paint_band(image: Image.Image, text: str, colour: str, *, upper: bool) -> None:
    """Paint a band across the upper or the lower half of the grid, and write on it."""
    middle = layout.GRID.top + (layout.GRID.bottom - layout.GRID.top) * (1 if upper else 3) // 4
    image.paste(colour, (layout.GRID.left, middle - 54, layout.GRID.right, middle + 54))
    at = (layout.GRID.middle[0], middle)
    text_at(ImageDraw.Draw(image), at, text, 52, colour="#ffffff", anchor="mm", bold=True)
