"""Draw the frames of a recording of several agents: all of them alike, or one that is followed."""

import math
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from PIL import Image, ImageDraw

from hamlet_trio.common.agents import AGENT_COLORS, AGENT_IDS, LETTERS, AgentId
from hamlet_trio.film import layout
from hamlet_trio.film.brushes import fill_bar, lettered_token, ring, signed, text_at
from hamlet_trio.film.painter import Painter, about_episode
from hamlet_trio.film.scene import Scene, ScenePainter, paint_band, paint_progress
from hamlet_trio.recording.file import Recording
from hamlet_trio.recording.trajectory import Trajectory, failure_at
from hamlet_trio.world import ACTIONS, INTERACT, METERS

_ROW_TOKEN: Final = 84
"""Size of the cell for which the token in an agent's row is drawn."""
_APART: Final = 0.22
"""How far from the middle of a cell agents stand that share it, in cells, so that each letter is seen."""
_APART_OF_FOLLOWED: Final = 0.36
"""The same for those in the cell of the agent that is followed, which stands in the middle."""
_SHARING: Final = 0.75
"""Their size, of that of an agent alone. Both are as on the page."""


def tokens_of(index: int, size: int) -> tuple[Image.Image, Image.Image]:
    """Return the token of the agent of that number, RGBA, and the one of its end."""
    letter, colour = LETTERS[index], AGENT_COLORS[index]
    return lettered_token(size, letter, colour), lettered_token(size, letter, colour, pale=True)


def _aside(size: int, place: int, together: int, apart: float = _APART) -> tuple[int, int]:
    """Return where one of several agents in a cell of this size stands, in pixels from its middle."""
    turn = 2 * math.pi * place / together
    return round(-apart * size * math.cos(turn)), round(-apart * size * math.sin(turn))


def _by_cell(trajectories: Sequence[Trajectory], step: int) -> dict[tuple[int, int], list[int]]:
    """Return the numbers of the agents in each cell that has any."""
    cells: dict[tuple[int, int], list[int]] = {}
    for index, one in enumerate(trajectories):
        x, y = one.positions[step].tolist()
        cells.setdefault((x, y), []).append(index)
    return cells


class CompanyPainter(ScenePainter):
    """Draw the frames of one recording of several agents, in any order."""

    def __init__(self, recording: Recording, trajectories: Sequence[Trajectory]) -> None:
        self._trajectories = trajectories
        self._returns = [one.returns() for one in trajectories]
        self._rows = [layout.company_row(index, len(trajectories)) for index in range(len(trajectories))]
        info = recording.info
        who = info.model or ("Agents in training" if info.source == "training" else "Untrained agents")
        about = f"{about_episode(info)}, {len(trajectories)} agents"
        super().__init__(trajectories[0].config, title=who, about=about)
        size = layout.cell_size(self.config)
        self._use_ring = ring(size)
        self._tokens = [tokens_of(index, size) for index in range(len(trajectories))]
        self._small_tokens = [tokens_of(index, round(_SHARING * size)) for index in range(len(trajectories))]
        self._row_tokens = [tokens_of(index, _ROW_TOKEN) for index in range(len(trajectories))]

    def frame(self, step: int) -> Image.Image:
        """Return the frame of a step, 0 to N: RGB, 1920 x 1080."""
        image = self.background.copy()
        draw = ImageDraw.Draw(image)
        steps = self._trajectories[0].steps
        paint_progress(draw, step, steps)
        right = layout.PANEL.right
        mean = float(np.mean([returns[step] for returns in self._returns]))
        text_at(draw, (right, 188), signed(mean, 1), 40, anchor="rm", bold=True)
        text_at(draw, (right, 222), "mean return so far", 22, colour=layout.SOFT, anchor="rm")
        self._paint_grid(image, step)
        for index in range(len(self._trajectories)):
            self._paint_row(image, draw, index, step)
        if step == steps and all(one.over for one in self._trajectories):
            self._paint_result(image)
        return image

    def shape_meters(self, rounded: Callable[..., None]) -> None:
        """Draw the empty bars of each agent."""
        for row in self._rows:
            for meter in range(len(METERS)):
                rounded(layout.company_bar(row, meter), 9, layout.SUNKEN)

    def name_meters(self, draw: ImageDraw.ImageDraw) -> None:
        """Write the names of the meters over the columns of their bars."""
        for index, meter in enumerate(METERS):
            left = layout.company_bar(self._rows[0], index).left
            text_at(
                draw, (left, layout.METER_TOP - 22), meter.capitalize(), 20, colour=layout.SOFT, anchor="lm"
            )

    def _paint_grid(self, image: Image.Image, step: int) -> None:
        """Paint the agents; in one cell they stand beside each other, those that have ended beneath."""
        for cell, together in _by_cell(self._trajectories, step).items():
            x, y = layout.agent_centre(self.config, *cell)
            alone = len(together) == 1
            ended_first = sorted(together, key=lambda index: failure_at(self._trajectories[index], step) == 0)
            for index in ended_first:
                one = self._trajectories[index]
                size, place = layout.cell_size(self.config), together.index(index)
                right, down = (0, 0) if alone else _aside(size, place, len(together))
                ended = failure_at(one, step) != 0
                if step and not ended and int(one.actions[step]) == INTERACT:
                    colour = layout.ACCENT if one.interacted[step] >= 0 else layout.CRITICAL
                    at = (x + right - self._use_ring.width // 2, y + down - self._use_ring.height // 2)
                    image.paste(colour, at, self._use_ring)
                token = (self._tokens if alone else self._small_tokens)[index][ended]
                at = (x + right - token.width // 2, y + down - token.height // 2)
                image.paste(token, at, token)

    def _paint_row(self, image: Image.Image, draw: ImageDraw.ImageDraw, index: int, step: int) -> None:
        row, one = self._rows[index], self._trajectories[index]
        ended = failure_at(one, step) != 0
        token = self._row_tokens[index][ended]
        image.paste(token, (row.left, row.top + 2), token)
        colour = layout.CRITICAL if ended else layout.INK
        text_at(draw, (row.left + 56, row.top + 24), self._words(index, step), 26, colour=colour, anchor="lm")
        total = signed(float(self._returns[index][step]), 1)
        text_at(draw, (row.right, row.top + 24), total, 26, anchor="rm", bold=True)
        for meter, part in enumerate(one.normalised[step].tolist()):
            shown = layout.level_colour(self.config, METERS[meter], part)
            fill_bar(image, layout.company_bar(row, meter), part, shown)

    def _words(self, index: int, step: int) -> str:
        """Say what an agent does, whom it waits for, or how it ended."""
        one = self._trajectories[index]
        if failure_at(one, step) != 0:
            return layout.ENDINGS.get(one.failure_reason or "", "It has ended")
        if step == 0:
            return "Begins"
        waits_for = int(one.waiting_for[step])
        if waits_for >= 0:
            return f"Waits for {LETTERS[waits_for]}"
        action, used = int(one.actions[step]), int(one.interacted[step])
        if action != INTERACT or used < 0:
            return ACTIONS[action].capitalize()
        name = self.config.affordances[used].name
        return f"Uses {layout.PLACE_NAMES.get(name, name)}"

    def _paint_result(self, image: Image.Image) -> None:
        """Say how many lived to the last step, where fewest agents stand."""
        lived = sum(one.failure_reason is None for one in self._trajectories)
        count, steps = len(self._trajectories), self._trajectories[0].steps
        text = f"{lived} of {count} lived to the last step" if lived else f"All ended after {steps} steps"
        below = sum(one.positions[-1][1] >= self.config.height / 2 for one in self._trajectories)
        colour = layout.GOOD if lived else layout.CRITICAL
        paint_band(image, text, colour, upper=bool(below >= count / 2))


class FollowingPainter(Painter):
    """Draw the frames of one of several agents, as of an agent alone, with the others on the grid."""

    def __init__(self, recording: Recording, trajectories: Sequence[Trajectory], agent: int) -> None:
        self._trajectories = trajectories
        self._followed = agent
        super().__init__(recording, trajectories[agent], agent)
        size = layout.cell_size(self.config)
        self._tokens = [tokens_of(index, size) for index in range(len(trajectories))]
        self._small_tokens = [tokens_of(index, round(_SHARING * size)) for index in range(len(trajectories))]

    def token_of(self, scene: Scene) -> Image.Image:
        """Return the token of the agent that is followed."""
        return self._tokens[self._followed][failure_at(self._trajectories[self._followed], scene.step) != 0]

    def paint_others(self, image: Image.Image, scene: Scene) -> None:
        """Paint each other agent, beside those that are in the same cell."""
        for cell, together in _by_cell(self._trajectories, scene.step).items():
            others = [index for index in together if index != self._followed]
            alone, size = len(together) == 1, layout.cell_size(self.config)
            apart = _APART if len(others) == len(together) else _APART_OF_FOLLOWED
            x, y = layout.agent_centre(self.config, *cell)
            for place, index in enumerate(others):
                right, down = (0, 0) if alone else _aside(size, place, len(others), apart)
                ended = failure_at(self._trajectories[index], scene.step) != 0
                token = (self._tokens if alone else self._small_tokens)[index][ended]
                image.paste(token, (x + right - token.width // 2, y + down - token.height // 2), token)


FramePainter = Painter | CompanyPainter


def painter_of(
    recording: Recording, trajectories: Sequence[Trajectory], agent: AgentId | None = None
) -> FramePainter:
    """Return what draws the frames of a recording, played out: all agents alike, or one that is followed.

    Raises `ValueError` if the recording has no such agent.
    """
    count = len(trajectories)
    if agent is not None and AGENT_IDS.index(agent) >= count:
        agents = "one agent, agent_0" if count == 1 else f"{count} agents, agent_0 to {AGENT_IDS[count - 1]}"
        raise ValueError(f"The recording has {agents}, and no {agent}")
    if count == 1:
        return Painter(recording, trajectories[0])
    if agent is None:
        return CompanyPainter(recording, trajectories)
    return FollowingPainter(recording, trajectories, AGENT_IDS.index(agent))
