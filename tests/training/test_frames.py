"""Test what a frame says about a step."""

from typing import get_args

import msgspec
import pytest

from hamlet_trio.protocol.messages import ActionName, TrainingStateUpdate, encode
from hamlet_trio.protocol.parameters import TrainingParameters
from hamlet_trio.training.episodes import StepOutcome
from hamlet_trio.training.frames import FrameRenderer, run_heat_map
from hamlet_trio.training.run import TrainingRun
from hamlet_trio.world import ACTIONS, DEFAULT_AFFORDANCES


def render(run: TrainingRun, outcome: StepOutcome) -> TrainingStateUpdate:
    return FrameRenderer(run.worlds.config).render(run.worlds, outcome, run_heat_map(run.visits))


def test_the_names_of_actions_are_the_worlds() -> None:
    assert get_args(ActionName) == ACTIONS


def test_a_frame_has_every_field_that_is_kept(parameters: TrainingParameters) -> None:
    run = TrainingRun(parameters, device="cpu")
    outcome = run.step()
    frame = msgspec.json.decode(encode(render(run, outcome)))
    x, y = run.worlds.positions[0, 0].tolist()
    last_action = ACTIONS[outcome.action]
    assert frame["grid"] == {"width": 8, "height": 8}
    (agent,) = frame["agents"]
    assert (agent["id"], agent["x"], agent["y"]) == ("agent_0", x, y)
    assert agent["color"]
    assert (agent["last_action"], agent["reward"]) == (last_action, outcome.reward)
    state = frame["agent_meters"]["agent_0"]
    assert (state["last_action"], state["reward"]) == (last_action, outcome.reward)
    assert set(state["meters"]) == {"energy", "hygiene", "satiation", "money", "mood", "social"}
    assert [(a["type"], a["x"], a["y"]) for a in frame["affordances"]] == [
        (place.name, place.x, place.y) for place in DEFAULT_AFFORDANCES
    ]
    assert (frame["step"], frame["episode"], frame["epsilon"]) == (1, 1, 1.0)
    assert (frame["action"], frame["reward"], frame["done"]) == (outcome.action, outcome.reward, False)
    assert frame["info"] == {"step": 1, "failure_reason": None}
    assert frame["heat_map"] == {f"{x},{y}": 1.0}


def test_four_meters_are_normalised_money_and_mood_are_not(parameters: TrainingParameters) -> None:
    run = TrainingRun(parameters, device="cpu")
    meters = render(run, run.step()).agent_meters["agent_0"].meters
    raw = run.worlds.meters[0, 0].tolist()
    assert meters.energy == pytest.approx(raw[0] / 100)
    assert meters.social == pytest.approx(raw[5] / 100)
    assert (meters.money, meters.mood) == (raw[3], raw[4])


def test_the_last_frame_says_why_and_the_heat_map_is_of_the_whole_run(parameters: TrainingParameters) -> None:
    run = TrainingRun(msgspec.structs.replace(parameters, num_episodes=1, max_steps=500), device="cpu")
    while (outcome := run.step()).record is None:
        assert render(run, outcome).info.failure_reason is None
    frame = render(run, outcome)
    assert frame.done
    assert frame.info.failure_reason == outcome.record.failure_reason
    most = run.visits.max()
    assert frame.heat_map == {
        f"{x},{y}": round(int(run.visits[y, x]) / most, 3)
        for y in range(8)
        for x in range(8)
        if run.visits[y, x]
    }
    assert max(frame.heat_map.values()) == 1
