"""Rendering: a film by Gymnasium's own recorder, a window, and pictures that show what happened."""

import copy
import json
import pickle
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pygame
import pytest
from gymnasium.wrappers import HumanRendering, RecordVideo, vector

from hamlet_trio.envs.gymnasium_env import HamletEnv
from hamlet_trio.envs.rendering import HEIGHT, WIDTH
from hamlet_trio.envs.vector_env import HamletVectorEnv
from hamlet_trio.world import parallel_env
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


def frames_of(folder: Path) -> tuple[int, int, int]:
    """Width, height and number of frames of the only film in a folder, by ffprobe."""
    ffprobe = shutil.which("ffprobe")
    if ffprobe is None:
        left_out("ffprobe is not installed (Debian: ffmpeg)")
    (film,) = folder.glob("*.mp4")
    command = [ffprobe, "-v", "error", "-show_streams", "-of", "json", str(film)]
    (stream,) = json.loads(subprocess.check_output(command))["streams"]
    return stream["width"], stream["height"], int(stream["nb_frames"])


# MoviePy is compiled at its first import.
@pytest.mark.filterwarnings("ignore:invalid escape sequence")
def test_gymnasium_records_a_film(tmp_path: Path) -> None:
    env = RecordVideo(gymnasium.make("Hamlet-v0", render_mode="rgb_array"), str(tmp_path / "films"))
    env.reset(seed=1)
    for action in (0, 0, 3, 4):
        env.step(action)
    env.close()  # type: ignore[no-untyped-call]
    assert frames_of(tmp_path / "films") == (WIDTH, HEIGHT, 5)


@pytest.mark.filterwarnings("ignore:invalid escape sequence")
def test_gymnasium_records_a_film_of_many_worlds(tmp_path: Path) -> None:
    made = gymnasium.make_vec("Hamlet-v0", 4, render_mode="rgb_array")
    envs = vector.RecordVideo(made, str(tmp_path / "films"))
    envs.reset(seed=1)
    for _ in range(4):
        envs.step(np.array([0, 1, 2, 3]))
    envs.close()
    assert frames_of(tmp_path / "films") == (2 * WIDTH, 2 * HEIGHT, 5)


@pytest.mark.usefixtures("no_screen")
def test_the_window_opens_with_its_first_picture_and_closes() -> None:
    pygame.display.quit()
    envs = [gymnasium.make("Hamlet-v0", render_mode="human") for _ in range(2)]
    assert not pygame.display.get_init()
    for env in envs:
        env.reset(seed=1)
        assert env.step(0)[4]["position"] == (4, 3)
        assert env.render() is None
    assert pygame.display.get_surface().get_size() == (WIDTH, HEIGHT)
    envs[0].close()
    assert not pygame.display.get_init()
    envs[1].step(0)
    assert pygame.display.get_init(), "the other one goes on"
    envs[1].close()


@pytest.mark.usefixtures("no_screen")
@pytest.mark.parametrize("make", [HamletEnv, HamletVectorEnv, parallel_env])
def test_copies_and_pickles_have_no_window(make: Callable[..., Any]) -> None:
    env = make(render_mode="human")
    for prepare in (lambda: None, lambda: env.reset(seed=1)):
        prepare()
        for twin in (copy.deepcopy(env), pickle.loads(pickle.dumps(env))):  # noqa: S301 - our own
            twin.reset(seed=1)
            twin.close()
    env.close()


@pytest.mark.usefixtures("no_screen")
def test_gymnasiums_own_window_takes_the_pictures() -> None:
    env = HumanRendering(gymnasium.make("Hamlet-v0", render_mode="rgb_array"))
    env.reset(seed=1)
    env.step(0)
    env.close()  # type: ignore[no-untyped-call]
