"""A run of several agents: one learner, each agent a stream, and those that have failed left out."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from hamlet_trio.agent.learner import DQNLearner, LearnerError
from hamlet_trio.agent.learner_config import LearnerConfig
from hamlet_trio.agent.models import ModelFolder
from hamlet_trio.agent.names import NetworkType
from hamlet_trio.agent.run_state import decode_run_state, encode_run_state
from hamlet_trio.protocol.episode import EpisodeComplete
from hamlet_trio.protocol.errors import BadMessageError
from hamlet_trio.protocol.messages import TrainingStateUpdate
from hamlet_trio.protocol.parameters import TrainingParameters
from hamlet_trio.recording.folder import RecordingFolder
from hamlet_trio.training.episodes import StepOutcome
from hamlet_trio.training.frames import FrameRenderer, run_heat_map
from hamlet_trio.training.orders import EpisodeReport
from hamlet_trio.training.plan import make_plan
from hamlet_trio.training.recipe import Recipe
from hamlet_trio.training.recorder import Recorder
from hamlet_trio.training.run import TrainingRun
from hamlet_trio.training.showcase import frames_of
from hamlet_trio.training.store import RunStore
from hamlet_trio.world import FAILURE_REASONS, WorldConfig, Worlds, WorldState
from tests.training.local_runs import Listener, after, finish, managed, train

THREE = ["agent_0", "agent_1", "agent_2"]
RECIPE = Recipe(
    learner=LearnerConfig(learning_starts=30, n_step=3, exploration="options"),
    updates_per_episode=20,
    evaluations=2,
)


@pytest.fixture
def three(parameters: TrainingParameters) -> TrainingParameters:
    """Ten short episodes of three agents, which fail at different steps, in two worlds."""
    world = {"meters": {"energy": {"start": 16.0}, "social": {"start": 34.0}}}
    return msgspec.structs.replace(
        parameters, num_agents=3, contention=True, num_envs=2, num_episodes=10, max_steps=60, world=world
    )


def made(parameters: TrainingParameters, recipe: Recipe = RECIPE) -> TrainingRun:
    return TrainingRun(parameters, device="cpu", recipe=recipe)


class NotingLearner:
    """Stands before a run's learner and notes what it is given to remember."""

    def __init__(self, learner: DQNLearner) -> None:
        self._learner = learner
        self.remembered: list[dict[str, Any]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._learner, name)

    def remember(self, **step: Any) -> None:
        self.remembered.append({name: np.array(values) for name, values in step.items()})
        self._learner.remember(**step)


def test_the_learner_remembers_what_a_scalar_loop_would(three: TrainingParameters) -> None:
    """World by world and agent by agent, from the actions alone, the steps of those that were alive."""
    run = made(msgspec.structs.replace(three, random_start=0))
    run._learner = noting = NotingLearner(run._learner)  # type: ignore[assignment]
    config = run.worlds.config
    worlds = [Worlds(1, config) for _ in range(2)]
    for _ in range(120):
        if run.finished:
            break
        outcome = run.step()
        actions = np.frombuffer(outcome.actions, dtype=np.uint8).reshape(2, 3)
        rows = []
        for number, world in enumerate(worlds):
            if world.over[0]:
                world.reset()
            alive, before = world.alive[0].copy(), world.observe()[0].copy()
            result = world.step(actions[number][None])
            seen = world.observe()[0]
            rows += [
                (
                    number * 3 + agent,
                    before[agent],
                    int(actions[number, agent]),
                    result.rewards[0, agent],
                    seen[agent],
                    result.terminated[0, agent],
                    result.truncated[0, agent],
                )
                for agent in range(3)
                if alive[agent]
            ]
        told = noting.remembered[-1]
        names = (
            "streams", "observations", "actions", "rewards", "next_observations", "terminated", "truncated"
        )  # fmt: skip
        for name, expected in zip(names, zip(*rows, strict=True), strict=True):
            np.testing.assert_array_equal(told[name], np.array(expected))
    lengths = {len(step["streams"]) for step in noting.remembered}
    assert len(lengths) > 1, "no agent ever failed before the others"
    assert run.steps == sum(len(step["streams"]) for step in noting.remembered) == run.visits.sum()


def test_a_record_tells_how_it_went_for_each_agent(three: TrainingParameters) -> None:
    run = made(three)
    totals = np.zeros((2, 3))
    steps = np.zeros((2, 3), dtype=int)
    while not run.finished:
        over = run.worlds.over.copy()
        totals[over], steps[over] = 0, 0
        alive = np.where(over[:, None], True, run.worlds.alive)
        outcome = run.step()
        steps += alive
        first = outcome.agents
        totals[0] += [agent.reward for agent in first]
        assert [agent.total for agent in first] == totals[0].tolist()
        assert [agent.action is not None for agent in first] == alive[0].tolist()
        for record, world in zip(outcome.records, outcome.worlds, strict=True):
            assert isinstance(record.agents, dict)
            assert list(record.agents) == THREE
            results = list(record.agents.values())
            assert [result.steps for result in results] == steps[world].tolist()
            assert record.length == round(np.mean(steps[world]))
            assert record.reward == pytest.approx(np.mean([result.total_reward for result in results]))
            failures = [FAILURE_REASONS[code] for code in run.worlds.failure[world]]
            assert [result.failure_reason for result in results] == failures
            ended = [result for result in results if result.failure_reason is not None]
            earliest = min(ended, key=lambda result: result.steps).failure_reason if ended else None
            assert record.failure_reason == earliest
        totals[1:] = 0


@pytest.mark.parametrize("network_type", ["qnetwork", "relational", "egocentric", "options"])
def test_going_on_in_the_middle_is_exact(three: TrainingParameters, network_type: NetworkType) -> None:
    parameters = msgspec.structs.replace(three, network_type=network_type)
    whole = made(parameters)
    expected = finish(whole)
    again = made(parameters)
    before: list[StepOutcome] = []
    # Until an agent has failed while the others of its world go on.
    while len(before) < 10 or not (~again.worlds.alive[0]).any() or again.worlds.over[0]:
        before.append(again.step())
    second = made(parameters)
    second.load_state_dict(decode_run_state(encode_run_state(again.state_dict())))
    assert before + finish(second) == expected
    assert encode_run_state(second.state_dict()) == encode_run_state(whole.state_dict())


def test_a_state_of_another_number_of_agents_is_refused(three: TrainingParameters) -> None:
    state = made(three).state_dict()
    with pytest.raises(LearnerError, match="num_streams is 6; here it is 4"):
        made(msgspec.structs.replace(three, num_agents=2)).load_state_dict(state)


def test_evaluations_have_company_and_the_model_knows_it(three: TrainingParameters) -> None:
    run = made(msgspec.structs.replace(three, num_episodes=1))
    finish(run)
    usual, random = run.evaluate()
    assert (usual.episodes, random.episodes) == (3 * RECIPE.evaluation_episodes, 3 * 30)
    world = msgspec.convert(run.checkpoint().metadata.world, WorldConfig)
    assert (world.num_agents, world.contention) == (3, True)


def test_recordings_are_of_all_agents(three: TrainingParameters, tmp_path: Path) -> None:
    folder = RecordingFolder(tmp_path / "recordings", kept=100)
    run, listener = made(three), Listener()
    recorder = Recorder(folder, every=1, reporter=listener)
    recorder.on_start(managed(run, "20250101-000000-abcdef"))
    episodes: list[EpisodeComplete] = []
    while not run.finished:
        outcome = run.step()
        recorder.on_step(outcome, watched=False)
        episodes += outcome.records
    assert listener.problems == []
    assert len(folder.entries()) == len(episodes) == 10
    for episode in episodes:
        recording = folder.load(f"20250101-000000-abcdef-ep{episode.episode}")
        assert isinstance(episode.agents, dict)
        assert isinstance(recording.info.agents, dict)
        for agent_id, result in recording.info.agents.items():
            told = episode.agents[agent_id]
            assert (result.steps, result.failure_reason) == (told.steps, told.failure_reason)
            assert result.total_reward == pytest.approx(told.total_reward)
        assert recording.info.failure_reason == episode.failure_reason


def test_frames_show_every_agent_and_a_showcase_repeats_them(three: TrainingParameters) -> None:
    run = made(msgspec.structs.replace(three, num_envs=1))
    renderer = FrameRenderer(run.worlds.config)
    outcomes: list[StepOutcome] = []
    frames: list[TrainingStateUpdate] = []
    start: WorldState | None = None
    while not outcomes or not outcomes[-1].done:
        outcomes.append(run.step())
        start = start or run.episode_starts[0]
        frames.append(renderer.render(run.worlds, outcomes[-1], run_heat_map(run.visits)))
    last = frames[-1]
    record = outcomes[-1].record
    assert record is not None
    assert [marker.id for marker in last.agents] == list(last.agent_meters) == THREE
    assert last.info.failure_reason == record.failure_reason
    assert isinstance(record.agents, dict)
    for agent_id, state in last.agent_meters.items():
        assert state.cumulative_reward == record.agents[agent_id].total_reward
        assert state.alive == (record.agents[agent_id].failure_reason is None)
    report = EpisodeReport(
        episode=1,
        epsilon=run.epsilon,
        config=msgspec.to_builtins(run.worlds.config),
        start=msgspec.to_builtins(start),
        actions=b"".join(outcome.actions for outcome in outcomes),
        heat_map={},
    )
    for frame, shown in zip(frames, frames_of(report), strict=True):
        same = msgspec.structs.replace(shown, heat_map=frame.heat_map, epsilon=frame.epsilon)
        assert same == frame


def test_a_resumed_run_keeps_its_agents(three: TrainingParameters, tmp_path: Path) -> None:
    run_id = train(tmp_path, three, should_stop=after(30)).run_id
    store = RunStore(tmp_path / "data")
    models = ModelFolder.of(models_dir=str(tmp_path / "models"), data_dir=str(tmp_path / "data"))
    plan = make_plan(TrainingParameters(resume_from=run_id), store, models)
    assert (plan.parameters.num_agents, plan.parameters.contention) == (3, True)
    with pytest.raises(BadMessageError, match="`num_agents` of a resumed run cannot be changed: it is 3"):
        make_plan(TrainingParameters(resume_from=run_id, num_agents=2), store, models)


def test_a_run_of_one_agent_cannot_go_on_with_more(parameters: TrainingParameters, tmp_path: Path) -> None:
    run_id = train(tmp_path, parameters, should_stop=after(30)).run_id
    store = RunStore(tmp_path / "data")
    models = ModelFolder.of(models_dir=str(tmp_path / "models"), data_dir=str(tmp_path / "data"))
    with pytest.raises(BadMessageError, match="it is 1; 2 was sent"):
        make_plan(TrainingParameters(resume_from=run_id, num_agents=2), store, models)
    assert make_plan(TrainingParameters(resume_from=run_id, num_agents=1), store, models).resume


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"num_envs": 32, "world": {"num_agents": 4}}, "num_envs"),
        ({"world": {"num_agents": 9}}, "world.num_agents"),
        ({"num_agents": 5, "world": {"width": 2, "height": 2, "start": [0, 0], "affordances": []}}, ""),
    ],
)
def test_more_agents_than_a_run_can_take_are_refused(
    fields: dict[str, Any], field: str, tmp_path: Path
) -> None:
    models = ModelFolder.of(models_dir=str(tmp_path / "models"), data_dir=str(tmp_path / "data"))
    parameters = msgspec.convert(fields, TrainingParameters)
    with pytest.raises(BadMessageError) as caught:
        make_plan(parameters, RunStore(tmp_path / "data"), models)
    if field:
        assert caught.value.field == field
    with pytest.raises(msgspec.ValidationError, match="num_envs"):
        msgspec.convert({"num_envs": 32, "num_agents": 3}, TrainingParameters)
