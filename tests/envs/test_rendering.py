"""Rendering: a film by Gymnasium's own recorder, a window, and pictures that show what happened."""

import json
import shutil
import subprocess
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium.wrappers import HumanRendering, RecordVideo

from hamlet_trio.envs.gymnasium_env import HamletEnv
from hamlet_trio.envs.rendering import HEIGHT, WIDTH
from tests.needs import left_out


@pytest.fixture
def no_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    """SDL draws into memory."""
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")


def test_a_picture_shows_where_the_agent_is() -> None:
    env = HamletEnv(render_mode="rgb_array")
    env.reset()
    before = env.render()
    env.step(0)
    after = env.render()
    assert isinstance(before, np.ndarray)
    assert isinstance(after, np.ndarray)
    assert before.shape == after.shape == (HEIGHT, WIDTH, 3)
    assert before.dtype == np.uint8
    changed = (before != after).any(axis=2)
    assert changed[:, :520].any(), "the agent has moved"
    assert changed[:, 540:].any(), "the counters have changed"


def test_the_end_of_an_episode_is_shown() -> None:
    env = HamletEnv(max_steps=1, render_mode="rgb_array")
    env.reset()
    env.step(0)
    ended = env.render()
    env.reset()
    begun = env.render()
    assert isinstance(ended, np.ndarray)
    assert isinstance(begun, np.ndarray)
    green = (42, 107, 61)  # layout.GOOD
    band = [(picture[:, :500] == green).all(axis=2).sum() for picture in (ended, begun)]
    assert band[0] > 10_000 > band[1]


# MoviePy is compiled at its first import.
@pytest.mark.filterwarnings("ignore:invalid escape sequence")
def test_gymnasium_records_a_film(tmp_path: Path) -> None:
    ffprobe = shutil.which("ffprobe")
    if ffprobe is None:
        left_out("ffprobe is not installed (Debian: ffmpeg)")
    env = RecordVideo(gymnasium.make("Hamlet-v0", render_mode="rgb_array"), str(tmp_path / "films"))
    env.reset(seed=1)
    for action in (0, 0, 3, 4):
        env.step(action)
    env.close()  # type: ignore[no-untyped-call]
    (film,) = (tmp_path / "films").glob("*.mp4")
    command = [ffprobe, "-v", "error", "-show_streams", "-of", "json", str(film)]
    (stream,) = json.loads(subprocess.check_output(command))["streams"]
    assert (stream["width"], stream["height"]) == (WIDTH, HEIGHT)
    assert int(stream["nb_frames"]) == 5


@pytest.mark.usefixtures("no_screen")
def test_the_window_opens_and_closes() -> None:
    env = gymnasium.make("Hamlet-v0", render_mode="human")
    env.reset(seed=1)
    env.step(0)
    assert env.render() is None
    env.close()


@pytest.mark.usefixtures("no_screen")
def test_gymnasiums_own_window_takes_the_pictures() -> None:
    env = HumanRendering(gymnasium.make("Hamlet-v0", render_mode="rgb_array"))
    env.reset(seed=1)
    env.step(0)
    env.close()  # type: ignore[no-untyped-call]
