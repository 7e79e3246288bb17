import importlib
import math
import socket
import subprocess
import sys
import xml.etree.ElementTree as ET
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bench import REPOSITORY
from bench.__main__ import SPEED
from bench.broadcast.watching import Shown
from bench.frames.counting import Crowd, Frames, ignore
from bench.server import Server, serving_bare, serving_least, wait_until_ready
from bench.sessions.lateness import Lateness
from bench.sessions.measuring import Contender, _figures
from bench.sessions.playing import Players
from bench.suite import command, machine
from bench.suite.command import Effort, UnknownContenderError, run
from bench.suite.figures import (
    PUBLISHED,
    Figure,
    Report,
    alternate,
    load,
    percentile,
    ratio,
    save,
    significant,
)
from bench.suite.goals import GOALS, Goal, reached
from bench.suite.load import Connection, Load
from bench.suite.machine import this_machine, usable_cores
from bench.suite.picture import IMAGES, picture, scale
from bench.suite.search import largest
from bench.suite.table import amount, span


def figure(name: str = "one", *values: float, unit: str = "ms", beside: bool = False) -> Figure:
    return Figure(name=name, unit=unit, values=list(values), beside=beside)


def report(*figures: Figure, benchmark: str = "world") -> Report:
    return Report(benchmark=benchmark, machine=this_machine(), rounds=3, figures=list(figures))


def test_a_figure_is_the_median_of_its_rounds_and_a_ratio_is_made_round_by_round() -> None:
    one, other = figure("one", 9, 1, 2), figure("other", 3, 1, 1)
    assert (one.median, one.low, one.high) == (2, 1, 9)
    assert ratio("one / other", one, other).values == [3, 1, 2]
    assert percentile(list(range(100)), 0.99) == 99
    assert percentile([5.0], 0.5) == 5.0


def test_contenders_take_turns_and_change_their_order() -> None:
    turns: list[str] = []

    def turn(name: str) -> float:
        turns.append(name)
        return len(turns)

    values = alternate({"a": lambda: turn("a"), "b": lambda: turn("b")}, 3)
    assert turns == ["a", "b", "b", "a", "a", "b"]
    assert values == {"a": [1, 4, 5], "b": [2, 3, 6]}


@pytest.mark.parametrize("limit", [1, 2, 37, 300, 1234])
@pytest.mark.parametrize("start", [1, 300, 5000])
def test_a_search_finds_the_limit_to_its_share(limit: int, start: int) -> None:
    asked: list[int] = []

    def strain(number: int) -> float:
        asked.append(number)
        return 0.0 if number <= limit else 100.0

    found = largest(strain, 1.0, start=start, most=2000)
    assert limit * 0.96 - 1 <= found <= limit
    assert len(asked) < 25


def test_a_search_retries_only_numbers_near_the_limit() -> None:
    unlucky, asked = {50}, list[int]()

    def strain(number: int) -> float:
        asked.append(number)
        if number in unlucky:
            unlucky.discard(number)
            return 1.5
        return 0.5 if number <= 50 else 9.0

    assert largest(strain, 1.0, start=50, most=2000, finest=0.01) == 50
    assert asked[:3] == [50, 50, 76]
    assert asked.count(76) == 1
    assert largest(lambda _: 9.0, 1.0, start=50, most=2000) == 0
    assert largest(lambda _: 0.0, 1.0, start=50, most=2000) >= 2000 * 0.96


def test_frames_are_late_against_the_grid_of_their_session() -> None:
    taken = Lateness()
    for number, at in ((1, 10.0), (2, 10.1), (3, 10.23), (4, 10.3)):
        taken(b'{"type":"state_update","step":%d,' % number, at)
    taken(b'{"type":"episode_end"}', 10.31)
    taken(b'{"type":"state_update","step":0,"action":0', 12.32)
    assert taken.seconds(12.35) == pytest.approx([0, 0, 0.03, 0, 0.02])
    assert taken.gaps(12.35) == pytest.approx([0.1, 0.13, 0.07, 0.12])
    assert taken.frame.startswith(b'{"type":"state_update","step":4,'), "the last one of a step"
    taken.watch()
    assert taken.seconds(12.5) == pytest.approx([0.1]), "a frame that is due and missing is late"


def test_a_broadcast_is_late_against_its_first_viewer_and_a_missing_frame_counts() -> None:
    shown = Shown()
    for payload, times in ((b"1", (5.0, 5.02)), (b"2", (5.1,)), (b"3", (9.0, 9.0))):
        for at in times:
            shown(b'{"type":"state_update","step":' + payload, at)
    shown(b'{"type":"training_status"}', 5.0)
    assert shown.lateness(2, 4.0, 6.0) == pytest.approx([0, 0.02, 0, 1.0])


def test_a_goal_is_met_by_the_median_in_its_direction() -> None:
    more = Goal(benchmark="world", figure="one", target=2, moonshot=5)
    less = Goal(benchmark="start", figure="one", target=2, moonshot=1, better="less")
    assert [more.verdict(figure("one", value)) for value in (1, 2, 5)] == ["short", "target", "moonshot"]
    assert [less.verdict(figure("one", value)) for value in (3, 2, 1)] == ["short", "target", "moonshot"]


def test_a_report_is_kept_with_four_digits(tmp_path: Path) -> None:
    made = report(figure("one", 1.23456, 123456.7))
    save(made, tmp_path)
    kept = load("world", tmp_path)
    assert kept is not None
    assert kept.figures[0].values == [1.235, 123457]
    assert msgspec.structs.replace(kept, figures=made.figures) == made
    assert load("sessions", tmp_path) is None
    assert (amount(61_800.4, "steps/s"), amount(0.123456, "x")) == ("61,800 steps/s", "0.123")
    assert span(figure("one", 1.26, 3)) == "1.26 to 3"
    assert significant(0.0) == 0.0


def test_a_picture_tells_ours_from_others_by_shape_and_has_the_figures_as_text() -> None:
    made = report(
        figure("1 world", 100_000, 120_000, unit="steps/s"),
        figure("4,096 worlds", 9_000_000, unit="steps/s"),
        figure("CartPole", 50_000, unit="steps/s", beside=True),
        figure("ratio", 2, unit="x"),
    )
    root = ET.fromstring(picture(made))  # noqa: S314 (our own)
    name = "{http://www.w3.org/2000/svg}"
    words = [text.text for text in root.iter(f"{name}text")]
    assert "steps/s, logarithmic scale" in words
    assert "110,000 steps/s" in words
    assert len(list(root.iter(f"{name}circle"))) == 3 + 1, "three figures and the legend"
    assert len(list(root.iter(f"{name}rect"))) == 1 + 1 + 1, "the paper, one figure and the legend"
    assert not scale([1, 2, 3]).logarithmic
    assert scale([0, 1000, 1]).share(1000) == pytest.approx(1 / 1.05)


def test_what_is_published_is_whole_and_its_pictures_fresh() -> None:
    assert {goal.benchmark for goal in GOALS} <= set(SPEED)
    for path in PUBLISHED.glob("*.json"):
        made = load(path.stem, PUBLISHED)
        assert made is not None
        assert made.benchmark in SPEED
        assert not made.quick
        assert {len(one.values) for one in made.figures} == {made.rounds}
        assert all(math.isfinite(value) for one in made.figures for value in one.values)
        expected = [goal.figure for goal in GOALS if goal.benchmark == made.benchmark]
        assert [goal.figure for goal, _ in reached(made)] == expected
        drawn = (IMAGES / f"bench-{made.benchmark}.svg").read_text(encoding="utf-8")
        assert drawn == picture(made), f"run: python -m bench {made.benchmark} --publish"


class Sending(Connection):
    """A connection of somebody who does not play, that keeps what it sends."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.sent: list[str] = []

    def send(self, text: str) -> None:
        self.sent.append(text)
        super().send(text)


@pytest.mark.parametrize("serving", [serving_bare, pytest.param(serving_least, marks=pytest.mark.long)])
def test_the_load_generator_plays_with_the_anchors(
    serving: Callable[[int | None, Path], AbstractContextManager[Server]], tmp_path: Path
) -> None:
    frame = tmp_path / "frame"
    frame.write_bytes(b'{"type":"state_update","step":7,"padding":"' + b"x" * 1000 + b'"}')
    with serving(None, frame) as server, Load() as load:
        wait_until_ready(server.port, server.process)
        players = Players(server, load)
        played = players.play(3, 0.3)
        assert players.frame() == frame.read_bytes()
        other = Sending(server.port, "/ws", lambda _text, _at: None)
        load.add(other)
        players.play(1, 0.3, sends=[(0.0, other, "first"), (0.1, other, "second")])
        assert other.sent == ["first", "second"]
        crowd = Crowd(server, load, "/ws/training", 2, compact=False)
        assert crowd.measure(0.3) >= 0
        assert len(crowd.frames.longest) == len(frame.read_bytes())
    assert played.sessions == 3
    assert played.frames >= 3
    assert len(played.gaps) == played.frames - 3
    assert all(late >= 0 for late in played.lateness)


def test_bytes_are_those_on_the_wire_also_of_a_compressed_frame() -> None:
    text = b'{"type":"delta",' + b" " * 500 + b"}"
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    deflated = (deflater.compress(text) + deflater.flush(zlib.Z_SYNC_FLUSH))[:-4]
    assert len(deflated) < 126
    sent = bytes([0x80 | 0x40 | 1, len(deflated)]) + deflated
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor() as threads, Load() as load:
        port = listener.getsockname()[1]
        opening = threads.submit(Connection, port, "/ws", ignore, deflated=True)
        client, _ = listener.accept()
        with client:
            assert b"permessage-deflate" in client.recv(4096)
            client.sendall(
                b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
            )
            connection = opening.result()
            frames = Frames()
            frames.follow(connection)
            load.add(connection)
            client.sendall(sent)
            while not frames.count:
                load.run(0.01)
    assert frames == Frames(count=1, size=len(sent), longest=text)


def test_the_cheapest_benchmark_runs_for_real() -> None:
    command = [sys.executable, "-m", "bench", "world", "--quick", "--only", "1 world,64 worlds"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "64 worlds" in done.stdout
    made = load("world", REPOSITORY / "bench" / "results")
    assert made is not None
    assert [one.name for one in made.figures] == ["1 world", "64 worlds"]
    assert all(one.median > 1000 for one in made.figures)


@pytest.mark.parametrize("name", ["start", "isolation", "broadcast", "frames"])
def test_what_is_measured_as_a_whole_says_so(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        importlib.import_module(f"bench.{name}").main(["--only", "something"])
    assert f"{name} is measured as a whole" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "only", "said"),
    [
        ("commands", "hamlet", "there is no 'hamlet'; there are: hamlet --help, hamlet models"),
        (
            "sessions",
            "qnetwork,cnn",
            "there is no 'cnn'; there are: qnetwork, relational, egocentric, bare app, least under Trio",
        ),
        ("sessions", "bare app", "name one of them too"),
    ],
)
def test_only_what_there_is_can_be_measured_alone(
    name: str, only: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        importlib.import_module(f"bench.{name}").main(["--only", only])
    assert said in capsys.readouterr().err


def test_a_name_with_a_comma_can_be_measured_alone(capsys: pytest.CaptureFixture[str]) -> None:
    asked: list[Effort] = []

    def measure(effort: Effort) -> list[Figure]:
        asked.append(effort)
        effort.check(["1 world", "1 world, observed"])
        raise UnknownContenderError("enough")

    with pytest.raises(SystemExit):
        run("world", None, measure, ["--only", "1 world, observed;"], rounds=1)
    assert asked[0].wants("1 world, observed")
    assert not asked[0].wants("1 world")
    assert "enough" in capsys.readouterr().err


def test_a_report_tells_of_the_machine_as_it_is_unpinned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "RESULTS", tmp_path)
    cores = usable_cores()

    def measure(_: Effort) -> list[Figure]:
        monkeypatch.setattr(machine, "usable_cores", lambda: cores[:1])
        return [figure("one", 1.0)]

    run("world", None, measure, [], rounds=1)
    found = load("world", tmp_path)
    assert found is not None
    assert found.machine.cores == len(cores)


def test_a_server_without_sessions_has_no_frame_time() -> None:
    class Carried(Contender):
        def __init__(self, times: list[float]) -> None:
            self.processor_times = times

    contenders: dict[str, Contender] = {"a": Carried([math.nan]), "b": Carried([math.nan, 1e-6])}
    figures = _figures({"a": [0], "b": [0, 4]}, contenders)
    assert {one.name: one.values for one in figures} == {
        "a": [0],
        "b": [0, 4],
        "b, processor time of a frame": [1.0],
    }
