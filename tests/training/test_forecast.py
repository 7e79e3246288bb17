"""The forecast of the rest of a run: its arithmetic, on measured runs, and how often it is told."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
from trio.testing import MockClock

from hamlet_trio.logs import get_logger
from hamlet_trio.protocol.episode import EpisodeComplete
from hamlet_trio.protocol.parameters import TrainingParameters
from hamlet_trio.training.forecast import EXPLORING, UPDATES, WINDOW, Forecast
from hamlet_trio.training.hub import Hub
from hamlet_trio.training.recipe import DEFAULT_RECIPE
from hamlet_trio.training.run_status import RunStatus

# Episodes of runs of the default parameters, seeds 1 to 3: their lengths, and the processor time of each.
MEASURED: dict[str, list[tuple[int, float]]] = json.loads(
    (Path(__file__).parent / "measured_runs.json").read_text()
)
Record = Callable[[int], EpisodeComplete]


def timed(record: EpisodeComplete, length: int, seconds: float) -> EpisodeComplete:
    return msgspec.structs.replace(record, length=length, steps_per_second=length / seconds)


def test_it_knows_the_default_recipe() -> None:
    assert DEFAULT_RECIPE.updates_per_episode == UPDATES
    assert DEFAULT_RECIPE.schedule.fraction == EXPLORING


def test_nothing_is_known_before_an_episode_has_ended(record: Record) -> None:
    forecast = Forecast()
    assert forecast.seconds_left(TrainingParameters()) is None
    forecast.append(msgspec.structs.replace(record(1), steps_per_second=0))  # read from an older history
    assert forecast.seconds_left(TrainingParameters()) is None


@pytest.mark.parametrize(("show", "shown"), [("live", 5 * 100 * 0.2), ("showcase", 0.0)])
def test_episodes_of_one_length_take_what_the_last_ones_took(record: Record, show: Any, shown: float) -> None:
    parameters = TrainingParameters(num_episodes=100, show=show, show_every=5, step_delay=0.2)
    forecast = Forecast()
    for episode in range(1, 76):
        slow = 9.0 if episode <= 75 - WINDOW else 2.0
        forecast.append(timed(record(episode), 100, slow))
    assert forecast.seconds_left(parameters) == pytest.approx(25 * 2.0 + shown)
    for episode in range(76, 101):
        forecast.append(timed(record(episode), 100, 2.0))
    assert forecast.seconds_left(parameters) == 0


def test_one_world_of_several_is_shown(record: Record) -> None:
    parameters = TrainingParameters(num_episodes=100, show_every=1, num_envs=4, step_delay=0.5)
    forecast = Forecast()
    forecast.append(timed(record(80), 100, 1.0))
    assert forecast.seconds_left(parameters) == pytest.approx(20 * 1.0 + 20 / 4 * 100 * 0.5)


@pytest.mark.parametrize("seed", MEASURED)
@pytest.mark.parametrize(("showing", "last"), [("showcase", 98), ("live", 80)])
def test_it_is_right_within_a_third_from_a_fifth_of_a_default_run_on(
    seed: str, showing: Any, last: int, record: Record
) -> None:
    parameters = TrainingParameters(show=showing)
    forecast = Forecast()
    episodes = MEASURED[seed]
    waits = [
        length * parameters.step_delay if showing == "live" and index % parameters.show_every == 0 else 0
        for index, (length, _) in enumerate(episodes)
    ]
    for index, (length, seconds) in enumerate(episodes):
        forecast.append(timed(record(index + 1), length, seconds))
        if 20 <= index + 1 <= last:
            truth = sum(seconds for _, seconds in episodes[index + 1 :]) + sum(waits[index + 1 :])
            told = forecast.seconds_left(parameters)
            assert told is not None
            assert 2 / 3 <= told / truth <= 4 / 3, (index + 1, told, truth)


async def test_it_is_told_once_a_second_and_after_a_change_of_showing(
    record: Record, autojump_clock: MockClock
) -> None:
    hub = Hub(max_events=1000, max_frames=1, on_watched=lambda _: None)
    status = RunStatus(hub, get_logger(service="test"))
    with hub.joined("test") as viewer:

        async def told() -> list[float]:
            messages = []
            while viewer.queue.statistics().kept:
                messages.append(msgspec.json.decode(await viewer.queue.get()))
            return [m["seconds_left"] for m in messages if m["type"] == "training_forecast"]

        parameters = TrainingParameters(num_episodes=1000, max_steps=100)
        status.begin("20250101-000000-abcdef", parameters)
        assert await told() == []
        for episode in range(1, 101):
            status.note(timed(record(episode), 100, 0.1))
            await trio.sleep(0.1)
        forecasts = await told()
        assert 9 <= len(forecasts) <= 11
        assert forecasts == sorted(forecasts, reverse=True)
        status.set_parameters(msgspec.structs.replace(parameters, show="showcase"))
        (after,) = await told()
        assert after == pytest.approx(90, abs=1)
        newcomers = [msgspec.to_builtins(message) for message in status.history()]
        assert newcomers[-1] == {"type": "training_forecast", "seconds_left": after}
