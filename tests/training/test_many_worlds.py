"""A run in several worlds at once: how it counts, that worlds do not mix, and that going on is exact."""

import tracemalloc
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

from hamlet_trio.agent.learner import LearnerError
from hamlet_trio.agent.learner_config import LearnerConfig
from hamlet_trio.agent.run_state import decode_run_state, encode_run_state
from hamlet_trio.protocol.episode import EpisodeComplete
from hamlet_trio.protocol.parameters import TrainingParameters
from hamlet_trio.recording.folder import RecordingFolder
from hamlet_trio.training.episodes import StepOutcome
from hamlet_trio.training.recipe import DEFAULT_RECIPE, Recipe
from hamlet_trio.training.recorder import Recorder
from hamlet_trio.training.run import TrainingRun
from tests.training.local_runs import Listener, finish, managed

WORLDS = 5
RECIPE = Recipe(
    learner=LearnerConfig(learning_starts=30, n_step=3, exploration="options"),
    updates_per_episode=20,
    evaluations=2,
)


@pytest.fixture
def many(parameters: TrainingParameters) -> TrainingParameters:
    """Twelve short episodes in five worlds; most end by themselves, and so at different steps."""
    return msgspec.structs.replace(parameters, num_envs=WORLDS, num_episodes=12, max_steps=40, show_every=1)


def made(parameters: TrainingParameters, recipe: Recipe = RECIPE) -> TrainingRun:
    return TrainingRun(parameters, device="cpu", recipe=recipe)


def records(outcomes: list[StepOutcome]) -> list[EpisodeComplete]:
    return [record for outcome in outcomes for record in outcome.records]


def test_episodes_are_numbered_as_they_end_and_the_run_ends_with_the_last(many: TrainingParameters) -> None:
    run = made(many)
    outcomes = finish(run)
    episodes = records(outcomes)
    assert [record.episode for record in episodes] == list(range(1, 13))
    assert len({world for outcome in outcomes for world in outcome.worlds}) > 1
    assert len({record.length for record in episodes}) > 1
    assert run.steps == WORLDS * len(outcomes) > sum(record.length for record in episodes)
    assert run.visits.sum() == run.steps
    assert [record.episode for record in episodes if record.evaluation is not msgspec.UNSET] == [6, 12]
    assert episodes[-1].avg_length_5 == np.mean([record.length for record in episodes[-5:]])


def test_episodes_past_the_last_one_are_left_where_several_end_at_once(many: TrainingParameters) -> None:
    cut = msgspec.structs.replace(many, max_steps=5, num_episodes=7)
    outcomes = finish(made(cut))
    ended = [pair for outcome in outcomes for pair in zip(outcome.records, outcome.worlds, strict=True)]
    assert [(record.episode, world, record.length) for record, world in ended] == [
        *((world + 1, world, 5) for world in range(5)),
        (6, 0, 5),
        (7, 1, 5),
    ]


def test_the_first_world_is_told_step_by_step(many: TrainingParameters) -> None:
    run, totals = made(many), 0.0
    while not run.finished:
        number, step, shown = run.shown_episode, run.episode_step, run.episode
        outcome = run.step()
        totals = outcome.reward if outcome.step == 1 else totals + outcome.reward
        assert (outcome.episode, outcome.step) == (number, step + 1)
        assert outcome.total == pytest.approx(totals)
        assert len(outcome.actions) == WORLDS
        assert outcome.actions[0] == outcome.action
        if step == 0:
            assert number == shown
        if outcome.record is not None:
            assert (outcome.worlds[0], outcome.record.reward) == (0, outcome.total)
            assert outcome.record.episode >= number
            assert outcome.record.length == outcome.step


@pytest.mark.parametrize("every", [1, 3, 7])
def test_the_first_world_shows_one_episode_when_so_many_more_have_ended(
    many: TrainingParameters, every: int
) -> None:
    run = made(msgspec.structs.replace(many, show_every=every, num_episodes=20))
    seen = []
    while not run.finished:
        if run.episode_step == 0:
            seen.append((run.shown_episode, run.is_shown))
        run.step()
    due = 1
    for number, shown in seen:
        assert shown == (number >= due), seen
        while due <= number:
            due += every


def test_worlds_begin_differently_the_first_as_it_would_alone(many: TrainingParameters) -> None:
    starts = made(many).episode_starts
    assert len({msgspec.json.encode(start) for start in starts}) == WORLDS
    (alone,) = made(msgspec.structs.replace(many, num_envs=1)).episode_starts
    assert starts[0] == alone


def test_a_step_makes_the_updates_of_all_worlds_and_no_more_than_the_runs(many: TrainingParameters) -> None:
    run = made(many)
    outcomes = finish(run)
    assert 0 < run.updates <= 20 * 12
    assert run.updates > 20 * 11
    assert any(record.loss > 0 for record in records(outcomes))


def test_recordings_are_the_very_episodes_of_each_world(many: TrainingParameters, tmp_path: Path) -> None:
    folder = RecordingFolder(tmp_path / "recordings", kept=100)
    run, listener = made(many), Listener()
    recorder = Recorder(folder, every=1, reporter=listener)
    recorder.on_start(managed(run, "20250101-000000-abcdef"))
    episodes: list[EpisodeComplete] = []
    while not run.finished:
        outcome = run.step()
        recorder.on_step(outcome, watched=False)
        episodes += outcome.records
    assert listener.problems == []
    alone = made(many)
    finish(alone)
    assert encode_run_state(alone.state_dict()) == encode_run_state(run.state_dict())
    assert len(folder.entries()) == 12
    for episode in episodes:
        played = folder.load(f"20250101-000000-abcdef-ep{episode.episode}").play()
        assert (played.steps, played.failure_reason) == (episode.length, episode.failure_reason)
        assert played.returns()[-1] == pytest.approx(episode.reward)


@pytest.mark.parametrize("steps", [0, 1, 39, 40, 60], ids=str)
def test_going_on_from_a_saved_state_is_exact_wherever_it_was_taken(
    many: TrainingParameters, steps: int
) -> None:
    whole = made(many)
    expected = finish(whole)

    first = made(many)
    before = [first.step() for _ in range(steps)]
    position = first.episode, first.shown_episode, first.episode_step, first.is_shown
    state = decode_run_state(encode_run_state(first.state_dict()))
    first.step()  # what happens after the saving is not in the state
    second = made(many)
    second.load_state_dict(state)

    assert (second.episode, second.shown_episode, second.episode_step, second.is_shown) == position
    assert before + finish(second) == expected
    assert encode_run_state(second.state_dict()) == encode_run_state(whole.state_dict())


def test_a_state_of_another_number_of_worlds_is_refused(many: TrainingParameters) -> None:
    state = made(many).state_dict()
    with pytest.raises(LearnerError, match="num_streams is 5; here it is 1"):
        made(msgspec.structs.replace(many, num_envs=1)).load_state_dict(state)


def test_the_most_worlds_and_the_least_memory_go_together(parameters: TrainingParameters) -> None:
    widest = msgspec.structs.replace(parameters, num_envs=32, num_episodes=64, max_steps=3)
    run = made(widest, msgspec.structs.replace(DEFAULT_RECIPE, updates_per_episode=1, evaluations=1))
    assert len(records(finish(run))) == 64


def test_steps_write_over_the_same_memory(parameters: TrainingParameters) -> None:
    endless = msgspec.structs.replace(parameters, num_envs=8, num_episodes=100_000, max_steps=20)
    run = made(endless, msgspec.structs.replace(RECIPE, evaluations=1, updates_per_episode=1))
    tracemalloc.start()
    try:
        for _ in range(100):
            run.step()
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        for _ in range(100):
            run.step()
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # The observations of all these steps would be 230 kB.
    assert after - before < 40_000
    assert peak - before < 80_000


def test_weights_are_those_of_the_seed(many: TrainingParameters) -> None:
    one, same = made(many), made(many)
    assert finish(one) == finish(same)
    theirs = same.checkpoint().network.state_dict()
    for name, tensor in one.checkpoint().network.state_dict().items():
        assert torch.equal(tensor, theirs[name]), name
