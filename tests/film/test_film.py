"""Films, decoded again by ffprobe and ffmpeg: length, size, and what one frame shows."""

import json
import math
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
import psutil
import pytest
from PIL import ImageColor

from hamlet_trio.agent.policy import Policy
from hamlet_trio.common.agents import AGENT_COLORS
from hamlet_trio.film import layout
from hamlet_trio.film.company_painter import painter_of
from hamlet_trio.film.formats import FORMATS, FilmFormat
from hamlet_trio.film.icons import PLACE_ICONS
from hamlet_trio.film.render import (
    FilmCancelledError,
    FilmError,
    format_of,
    frame_count,
    make_film,
)
from hamlet_trio.film.worker import FilmOrder, FilmReport
from hamlet_trio.recording.file import Recording, encode
from hamlet_trio.world import METERS, WorldConfig
from tests.needs import left_out
from tests.patience import PATIENCE
from tests.recording.support import record

TOKENS = Path(__file__).parents[2] / "frontend" / "src" / "styles" / "tokens.css"
WALK = [0, 0, 2, 4]
STEP = 3
"""The step whose frame is compared."""


@pytest.fixture(scope="module")
def walk() -> Recording:
    """Four steps, with Q-values."""
    return record(actions=WALK, policy=Policy.untrained(1))


@pytest.fixture(scope="module")
def ffprobe() -> str:
    """The Debian package's, which is not the one that encodes."""
    found = shutil.which("ffprobe")
    if found is None:
        left_out("ffprobe is not installed (Debian: ffmpeg)")
    return found


@pytest.fixture(scope="module", params=FORMATS)
def film(request: pytest.FixtureRequest, walk: Recording, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of each format, at half the speed."""
    path = tmp_path_factory.mktemp("films") / f"walk.{request.param}"
    make_film(walk, path, speed=0.5)
    return path


def test_ffprobe_finds_its_length_size_and_frames(film: Path, ffprobe: str) -> None:
    asked = "stream=width,height,nb_read_frames,avg_frame_rate:format=duration"
    command = [ffprobe, "-v", "error", "-count_frames", "-show_entries", asked, "-of", "json", str(film)]
    told = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    (stream,) = told["streams"]
    frames = frame_count(len(WALK), 0.5)
    assert frames == len(WALK) + 1 + 10
    assert (stream["width"], stream["height"]) == (layout.WIDTH, layout.HEIGHT) == (1920, 1080)
    assert float(told["format"]["duration"]) == pytest.approx(frames / 5, abs=0.25)
    if film.suffix == ".gif":
        # A GIF keeps a picture that does not change as one, shown for longer.
        assert len(WALK) + 1 <= int(stream["nb_read_frames"]) <= frames
    else:
        assert (int(stream["nb_read_frames"]), stream["avg_frame_rate"]) == (frames, "5/1")


def test_a_fast_gif_shows_no_picture_too_shortly(walk: Recording, ffprobe: str, tmp_path: Path) -> None:
    """Players show a picture that is to be seen for one hundredth of a second for ten."""
    path = tmp_path / "fast.gif"
    make_film(walk, path, speed=6)
    command = [ffprobe, "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", str(path)]
    told = subprocess.run(command, capture_output=True, check=True).stdout
    assert float(told) == pytest.approx(frame_count(len(WALK), 6) / 60, abs=0.1)


def test_a_frame_shows_its_state(film: Path, walk: Recording, ffprobe: str) -> None:
    pixels = _frame(film, STEP, ffprobe)
    played = walk.play()

    def shows(at: tuple[int, int], colour: str) -> bool:
        x, y = at
        wanted = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
        shown = pixels[y - 1 : y + 2, x - 1 : x + 2].reshape(-1, 3).mean(axis=0)
        return bool(np.abs(shown - wanted).max() < 24)

    x, y = played.positions[STEP].tolist()
    assert shows(layout.agent_centre(walk.config, x, y), layout.AGENT)
    before = played.positions[STEP - 1].tolist()
    assert before != [x, y]
    assert not shows(layout.agent_centre(walk.config, *before), layout.AGENT)
    for index, meter in enumerate(METERS):
        bar = layout.meter_bar(index)
        part = float(played.normalised[STEP, index])
        colour = layout.level_colour(walk.config, meter, part)
        edge = bar.left + round(bar.width * part)
        middle = bar.middle[1]
        if edge - bar.left > 40:
            assert shows((edge - 20, middle), colour), meter
        if bar.right - edge > 40:
            assert shows((edge + 20, middle), layout.SUNKEN), meter


def test_a_film_of_several_agents_shows_each_of_them(ffprobe: str, tmp_path: Path) -> None:
    config = WorldConfig(num_agents=3, contention=True)
    # They part: one to the left, one down, one up.
    recording = record(config=config, actions=[2, 1, 0] * 4)
    make_film(recording, tmp_path / "three.mp4", speed=0.5)
    pixels = _frame(tmp_path / "three.mp4", 3, ffprobe)
    played = recording.play_company()
    for index, one in enumerate(played):
        x, y = layout.agent_centre(config, *one.positions[3].tolist())
        # Beside the letter, where the token has the agent's colour.
        shown = pixels[y - 1 : y + 2, x - 20 : x - 17].reshape(-1, 3).mean(axis=0)
        colour = AGENT_COLORS[index]
        assert np.abs(shown - [int(colour[i : i + 2], 16) for i in (1, 3, 5)]).max() < 24
        for meter, name in enumerate(METERS):
            bar = layout.company_bar(layout.company_row(index, 3), meter)
            part = float(one.normalised[3, meter])
            wanted = layout.level_colour(config, name, part) if part > 0.3 else layout.SUNKEN
            at = bar.left + (20 if part > 0.3 else bar.width - 20)
            shown = pixels[bar.middle[1] - 1 : bar.middle[1] + 2, at - 1 : at + 2].reshape(-1, 3).mean(axis=0)
            assert np.abs(shown - [int(wanted[i : i + 2], 16) for i in (1, 3, 5)]).max() < 24, name


def test_a_film_of_one_of_several_agents_shows_its_meters_and_the_others() -> None:
    config = WorldConfig(num_agents=3, contention=True)
    recording = record(config=config, actions=[2, 1, 0] * 4, policy=Policy.untrained(1))
    played = recording.play_company()
    image = painter_of(recording, played, "agent_1").frame(3)
    for index, one in enumerate(played):
        x, y = layout.agent_centre(config, *one.positions[3].tolist())
        # Beside the letter, where the token has the agent's colour.
        assert image.getpixel((x - 19, y)) == ImageColor.getrgb(AGENT_COLORS[index])
    for meter, name in enumerate(METERS):
        bar, part = layout.meter_bar(meter), float(played[1].normalised[3, meter])
        if part > 0.3:
            wanted = ImageColor.getrgb(layout.level_colour(config, name, part))
            assert image.getpixel((bar.left + 20, bar.middle[1])) == wanted, name
    with pytest.raises(ValueError, match="3 agents, agent_0 to agent_2, and no agent_5"):
        painter_of(recording, played, "agent_5")
    with pytest.raises(ValueError, match="one agent, agent_0, and no agent_1"):
        painter_of(record(actions=WALK), record(actions=WALK).play_company(), "agent_1")


@pytest.mark.parametrize("agent", [None, "agent_2"])
def test_each_letter_is_seen_where_agents_share_a_cell(agent: Literal["agent_2"] | None) -> None:
    config = WorldConfig(num_agents=4)
    # All into the same corner.
    recording = record(config=config, actions=[0] * 4 * 8 + [2] * 4 * 8, policy=Policy.untrained(1))
    played = recording.play_company()
    assert len({tuple(one.positions[14].tolist()) for one in played}) == 1
    image = np.asarray(painter_of(recording, played, agent).frame(14))
    x, y = layout.agent_centre(config, *played[0].positions[14].tolist())
    size = layout.cell_size(config)
    around = [index for index in range(4) if agent is None or index != 2]
    apart = (0.22 if agent is None else 0.36) * size
    for index in range(4):
        turn = 2 * math.pi * around.index(index) / len(around) if index in around else None
        right, down = (0.0, 0.0) if turn is None else (-apart * math.cos(turn), -apart * math.sin(turn))
        half, left, top = round(0.1 * size), round(x + right), round(y + down)
        inside = image[top - half : top + half, left - half : left + half]
        letter = (inside == 255).all(axis=2).sum()
        ground = (inside == ImageColor.getrgb(AGENT_COLORS[index])).all(axis=2).sum()
        # Of the middle of a token all is letter or its own colour, but for soft edges.
        assert letter > 40
        assert letter + ground > 0.6 * inside[:, :, 0].size


def test_films_have_the_colours_of_the_page() -> None:
    names = {place: PLACE_ICONS[place] for place in layout.PLACE_COLOURS} | {"GOOD": "good", "FINE": "fine"}
    shown = dict(re.findall(r"--([\w-]+): light-dark\((#\w{6}),", TOKENS.read_text()))
    drawn = layout.PLACE_COLOURS | {"GOOD": layout.GOOD, "FINE": layout.FINE}
    assert {place: shown[name] for place, name in names.items()} == drawn


def test_the_end_of_an_agent_that_is_followed_stays_while_the_others_live() -> None:
    recording = record(config=WorldConfig(num_agents=2, max_steps=60), actions=[2, 1] * 60)
    played = recording.play_company()
    short = msgspec.structs.replace(played[1], terminated=True, failure_reason="satiation_depleted", lived=20)
    painter = painter_of(recording, (played[0], short), "agent_1")
    assert painter.frame(19).tobytes() != painter.frame(20).tobytes()
    band = (layout.GRID.left + 6, layout.GRID.top + layout.GRID.width // 4)
    other = (band[0], layout.GRID.top + 3 * layout.GRID.width // 4)
    failed = ImageColor.getrgb(layout.CRITICAL)
    for step, shown in ((19, False), (20, True), (40, True)):
        frame = painter.frame(step)
        assert (failed in (frame.getpixel(band), frame.getpixel(other))) is shown


def test_the_end_of_several_agents_says_how_many_lived() -> None:
    recording = record(config=WorldConfig(num_agents=2, max_steps=4), actions=[2, 1] * 4)
    painter = painter_of(recording, recording.play_company())
    middle = layout.GRID.middle[0], layout.GRID.top + layout.GRID.width // 4
    edge = (layout.GRID.left + 6, middle[1])
    assert painter.frame(4).getpixel(edge) == (42, 107, 61)
    assert painter.frame(3).getpixel(edge) != (42, 107, 61)


def _frame(film: Path, number: int, ffprobe: str) -> Any:
    """One frame, (1080, 1920, 3) uint8, decoded by the same package's ffmpeg."""
    chosen = f"select=gte(t\\,{(number - 0.25) / 5})"
    command = [ffprobe.replace("ffprobe", "ffmpeg"), "-v", "error", "-i", str(film), "-vf", chosen]
    command += ["-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:1"]
    data = subprocess.run(command, capture_output=True, check=True).stdout
    return np.frombuffer(data, dtype=np.uint8).reshape(layout.HEIGHT, layout.WIDTH, 3)


def test_when_told_to_end_it_leaves_the_existing_file(walk: Recording, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_text("before")
    with pytest.raises(FilmCancelledError):
        make_film(walk, path, on_frame=lambda made, of: made < 2)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]
    assert [child for child in psutil.Process().children() if "ffmpeg" in child.name()] == []


def test_progress_counts_every_frame(walk: Recording, tmp_path: Path) -> None:
    seen = []

    def note(made: int, of: int) -> bool:
        seen.append((made, of))
        return True

    make_film(walk, tmp_path / "a.mp4", on_frame=note)
    total = frame_count(len(WALK))
    assert seen == [(made, total) for made in range(1, total + 1)]


@pytest.mark.parametrize("name", ["a.avi", "a", "mp4"])
def test_another_ending_is_refused(name: str) -> None:
    with pytest.raises(FilmError, match=r"\.mp4, \.webm, \.gif"):
        format_of(Path(name))
    assert format_of(Path("A.MP4")) == "mp4"


def test_what_cannot_be_written_is_reported(walk: Recording, tmp_path: Path) -> None:
    with pytest.raises(FilmError):
        make_film(walk, tmp_path / "nowhere" / "a.mp4")
    with pytest.raises(FilmError, match="speed is 7"):
        make_film(walk, tmp_path / "a.mp4", speed=7)


# --- the process -------------------------------------------------------------------------------------------


def _worker(recording: Path, out: Path, kind: FilmFormat = "mp4") -> "subprocess.Popen[bytes]":
    order = FilmOrder(recording=str(recording), out=str(out), kind=kind, speed=1)
    command = [sys.executable, "-m", "hamlet_trio.film.worker", msgspec.json.encode(order).decode()]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def test_the_process_ends_when_its_reader_does(tmp_path: Path) -> None:
    path = tmp_path / "long.rec"
    path.write_bytes(encode(record()))
    with _worker(path, tmp_path / "a.mp4") as process:
        assert process.stdout is not None
        assert msgspec.json.decode(process.stdout.readline(), type=FilmReport).of > 50
        process.stdout.close()
        assert process.wait(PATIENCE) == 1
    assert list(tmp_path.iterdir()) == [path]


def test_the_process_says_why_it_failed(tmp_path: Path) -> None:
    with _worker(tmp_path / "none.rec", tmp_path / "a.mp4") as process:
        assert process.stdout is not None
        report = msgspec.json.decode(process.stdout.readline(), type=FilmReport)
        assert report.error == "The recording cannot be read: No such file or directory."
        assert process.wait(PATIENCE) == 1
