"""Draw a recording's frames off screen, with Pillow."""

from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image, ImageDraw

from hamlet_trio.common.agents import AGENT_COLORS, LETTERS
from hamlet_trio.film import layout
from hamlet_trio.film.brushes import action_icon, fill_bar, signed, text_at
from hamlet_trio.film.scene import TRAIL, Ending, Scene, ScenePainter
from hamlet_trio.recording.file import Recording
from hamlet_trio.recording.info import Marker, RecordingInfo
from hamlet_trio.recording.markers import find_markers
from hamlet_trio.recording.trajectory import Trajectory
from hamlet_trio.world import ACTIONS


def about_episode(info: RecordingInfo) -> str:
    """Say which episode a recording is of."""
    return f"Episode {info.episode}" + (f" of run {info.run_id}" if info.run_id is not None else "")


class Painter(ScenePainter):
    """Draw the frames of one recording of an agent, in any order; of several, of the one with this number."""

    def __init__(self, recording: Recording, trajectory: Trajectory, agent: int | None = None) -> None:
        info = recording.info
        who = info.model or ("An agent in training" if info.source == "training" else "An untrained agent")
        about, markers, colour = about_episode(info), info.markers, layout.AGENT
        if agent is not None:
            about += f", agent {LETTERS[agent]} of {trajectory.config.num_agents}"
            markers, colour = find_markers(trajectory), AGENT_COLORS[agent]
        self._trajectory = trajectory
        self._returns = trajectory.returns()
        self._q_values = recording.outputs[agent or 0].q_values
        super().__init__(trajectory.config, title=who, about=about, colour=colour)
        self._mark_events(markers)

    def frame(self, step: int) -> Image.Image:
        """Return the frame of a step, 0 to N: RGB, 1920 x 1080."""
        trajectory = self._trajectory
        ending = None
        if trajectory.over and step >= trajectory.lived:
            ending = Ending(trajectory.failure_reason, trajectory.lived)
        image = self.paint(self.scene(step), ending)
        if self._q_values is not None:
            self._paint_q_values(image, self._q_values, min(step, trajectory.lived))
        return image

    def scene(self, step: int) -> Scene:
        """Return what the frame of a step shows; an agent that has failed stays as it was then."""
        trajectory = self._trajectory
        last = min(step, trajectory.lived)
        first = max(last - TRAIL, 0)
        waits_for = int(trajectory.waiting_for[last])
        return Scene(
            step=step,
            steps=trajectory.steps,
            cells=[(x, y) for x, y in trajectory.positions[first : last + 1].tolist()],
            action=int(trajectory.actions[last]) if last else None,
            used=int(trajectory.interacted[last]),
            reward=float(trajectory.rewards[last]),
            total=float(self._returns[last]),
            meters=trajectory.meters[last].tolist(),
            normalised=trajectory.normalised[last].tolist(),
            waits_for=None if waits_for < 0 else LETTERS[waits_for],
        )

    def shape_more(self, rounded: Callable[..., None]) -> None:
        """Draw the empty bars of the Q-values."""
        for action in range(len(ACTIONS)) if self._q_values is not None else ():
            rounded(layout.q_bar(action), 11, layout.SUNKEN)

    def _mark_events(self, markers: Sequence[Marker]) -> None:
        """Mark events on the timeline, and write the heading of the Q-values."""
        draw = ImageDraw.Draw(self.background)
        box = layout.TIMELINE
        for mark in markers:
            x = layout.timeline_x(mark.step, self._trajectory.steps)
            if mark.kind == "critical":
                draw.rectangle((x - 1, box.bottom + 5, x + 1, box.bottom + 15), layout.CRITICAL)
            elif mark.kind == "interaction":
                draw.rectangle((x - 1, box.top - 15, x + 1, box.top - 5), layout.ACCENT)
        if self._q_values is None:
            return
        left, right, top = layout.PANEL.left, layout.PANEL.right, layout.Q_TOP - 26
        heading = "What the model expects of each action"
        text_at(draw, (left, top), heading, 26, colour=layout.SOFT, anchor="lm", bold=True)
        text_at(draw, (right, top), "Q-value", 22, colour=layout.SOFT, anchor="rm")

    def _paint_q_values(self, image: Image.Image, q_values: np.ndarray, step: int) -> None:
        """Paint the Q-values that the step's action was chosen from; at step 0 those of the first action."""
        draw = ImageDraw.Draw(image)
        lowest, highest = float(q_values.min()), float(q_values.max())
        values = q_values[max(step - 1, 0)].tolist()
        best = values.index(max(values))
        chosen = int(self._trajectory.actions[step]) if step else None
        for action, value in enumerate(values):
            box = layout.q_bar(action)
            part = (value - lowest) / (highest - lowest) if highest > lowest else 1.0
            fill_bar(image, box, part, layout.AGENT if action == best else "#a9b6bf")
            bold = action == chosen
            name = ACTIONS[action].capitalize()
            image.paste(layout.INK, (layout.PANEL.left, box.middle[1] - 16), action_icon(action))
            text_at(draw, (layout.PANEL.left + 46, box.middle[1]), name, 26, anchor="lm", bold=bold)
            at = (layout.PANEL.right, box.middle[1])
            text_at(draw, at, signed(value, 2), 26, anchor="rm", bold=bold)
