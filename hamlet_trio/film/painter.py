"""Draw a recording's frames off screen, with Pillow."""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

from hamlet_trio.film import layout
from hamlet_trio.film.brushes import action_icon, fill_bar, signed, text_at
from hamlet_trio.film.scene import TRAIL, Ending, Scene, ScenePainter
from hamlet_trio.recording.file import Recording
from hamlet_trio.recording.info import RecordingInfo
from hamlet_trio.recording.trajectory import Trajectory
from hamlet_trio.world import ACTIONS


def about_episode(info: RecordingInfo) -> str:
    """Say which episode a recording is of."""
    return f"Episode {info.episode}" + (f" of run {info.run_id}" if info.run_id is not None else "")


class Painter(ScenePainter):
    """Draw the frames of one recording, in any order."""

    def __init__(self, recording: Recording, trajectory: Trajectory) -> None:
        self._trajectory = trajectory
        self._returns = trajectory.returns()
        self._q_values = recording.q_values
        info = recording.info
        who = info.model or ("An agent in training" if info.source == "training" else "An untrained agent")
        super().__init__(trajectory.config, title=who, about=about_episode(info))
        self._mark_events(recording)

    def frame(self, step: int) -> Image.Image:
        """Return the frame of a step, 0 to N: RGB, 1920 x 1080."""
        trajectory = self._trajectory
        over = trajectory.over and step == trajectory.steps
        image = self.paint(self._scene(step), Ending(trajectory.failure_reason) if over else None)
        if self._q_values is not None:
            self._paint_q_values(image, self._q_values, step)
        return image

    def _scene(self, step: int) -> Scene:
        trajectory = self._trajectory
        first = max(step - TRAIL, 0)
        return Scene(
            step=step,
            steps=trajectory.steps,
            cells=[(x, y) for x, y in trajectory.positions[first : step + 1].tolist()],
            action=int(trajectory.actions[step]) if step else None,
            used=int(trajectory.interacted[step]),
            reward=float(trajectory.rewards[step]),
            total=float(self._returns[step]),
            meters=trajectory.meters[step].tolist(),
            normalised=trajectory.normalised[step].tolist(),
        )

    def shape_more(self, rounded: Callable[..., None]) -> None:
        """Draw the empty bars of the Q-values."""
        for action in range(len(ACTIONS)) if self._q_values is not None else ():
            rounded(layout.q_bar(action), 11, layout.SUNKEN)

    def _mark_events(self, recording: Recording) -> None:
        """Mark events on the timeline, and write the heading of the Q-values."""
        draw = ImageDraw.Draw(self.background)
        box = layout.TIMELINE
        for mark in recording.info.markers:
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
