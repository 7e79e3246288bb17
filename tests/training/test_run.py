"""Test what a run reports about its steps, and that it resumes exactly from any of them."""

import copy

import msgspec
import numpy as np
import pytest
import torch

from hamlet_trio.agent.learner import LearnMetrics
from hamlet_trio.agent.learner_config import LearnerConfig
from hamlet_trio.agent.run_state import decode_run_state, encode_run_state
from hamlet_trio.agent.schedule import EpsilonSchedule
from hamlet_trio.protocol.episode import EpisodeComplete
from hamlet_trio.protocol.parameters import TrainingParameters
from hamlet_trio.training.recipe import Recipe
from hamlet_trio.training.run import DivergedError, StepOutcome, TrainingRun
from hamlet_trio.world import METERS, WorldConfig, Worlds, WorldState
from tests.training.local_runs import finish

RECIPE = Recipe(learner=LearnerConfig(learning_starts=30, n_step=3), evaluations=1)


def records(outcomes: list[StepOutcome]) -> list[EpisodeComplete]:
    return [outcome.record for outcome in outcomes if outcome.record is not None]


def weights(run: TrainingRun) -> dict[str, torch.Tensor]:
    return dict(run.checkpoint().network.state_dict())


def assert_same_weights(a: TrainingRun, b: TrainingRun) -> None:
    theirs = weights(b)
    for name, tensor in weights(a).items():
        assert torch.equal(tensor, theirs[name]), name


def test_every_step_is_told_and_every_episode_summed_up(parameters: TrainingParameters) -> None:
    outcomes = finish(TrainingRun(parameters, device="cpu"))
    episodes = records(outcomes)
    assert [record.episode for record in episodes] == [1, 2, 3, 4, 5, 6]
    for record in episodes:
        steps = [outcome for outcome in outcomes if outcome.episode == record.episode]
        assert [step.step for step in steps] == list(range(1, record.length + 1))
        assert [step.done for step in steps] == [False] * (record.length - 1) + [True]
        assert record.reward == pytest.approx(sum(step.reward for step in steps))
        assert steps[-1].total == record.reward
        assert {step.epsilon for step in steps} == {record.epsilon}


def test_averages_are_over_the_last_five_episodes(parameters: TrainingParameters) -> None:
    run = TrainingRun(parameters, device="cpu")
    episodes = records(finish(run))
    assert episodes[1].avg_length_5 == np.mean([r.length for r in episodes[:2]])
    assert episodes[5].avg_reward_5 == pytest.approx(np.mean([r.reward for r in episodes[1:6]]))
    assert episodes[5].avg_loss_5 == pytest.approx(np.mean([r.loss for r in episodes[1:6]]))
    assert run.recent_means() == (episodes[5].avg_reward_5, episodes[5].avg_length_5)


def test_an_episode_cut_off_has_no_failure_and_one_that_failed_says_which(
    parameters: TrainingParameters,
) -> None:
    cut = records(finish(TrainingRun(msgspec.structs.replace(parameters, max_steps=10), device="cpu")))
    assert {(record.length, record.failure_reason) for record in cut} == {(10, None)}
    long = msgspec.structs.replace(parameters, max_steps=500, num_episodes=1)
    (failed,) = records(finish(TrainingRun(long, device="cpu")))
    assert str(failed.failure_reason).endswith("_depleted")


def test_learning_begins_once_enough_is_remembered(parameters: TrainingParameters) -> None:
    recipe = Recipe(learner=LearnerConfig(learning_starts=30))
    run = TrainingRun(parameters, device="cpu", recipe=recipe)
    episodes = records(finish(run))
    assert episodes[0].loss == 0
    assert episodes[0].buffer_size == episodes[0].length
    assert episodes[1].loss > 0
    assert episodes[5].buffer_size == parameters.buffer_capacity
    assert run.updates == run.steps - 30 + 1


def test_the_q_value_of_an_episode_is_the_mean_over_its_updates(
    parameters: TrainingParameters, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = TrainingRun(parameters, device="cpu", recipe=Recipe(learner=LearnerConfig(learning_starts=30)))
    made: list[LearnMetrics] = []
    learn = run._learner.learn

    def noted(updates: int | None = None) -> LearnMetrics | None:
        if metrics := learn(updates):
            made.append(metrics)
        return metrics

    monkeypatch.setattr(run._learner, "learn", noted)
    episodes = 0
    while not run.finished:
        if (record := run.step().record) is not None:
            updates = sum(metrics.updates for metrics in made)
            total = sum(metrics.q_value * metrics.updates for metrics in made)
            expected = pytest.approx(total / updates) if made else None
            assert record.q_value == expected, record.episode
            made.clear()
            episodes += expected is not None
    assert episodes == 5, "in the first one nothing is learnt yet"


def test_a_run_saved_without_q_values_goes_on(parameters: TrainingParameters) -> None:
    first = TrainingRun(parameters, device="cpu", recipe=RECIPE)
    while first.completed < 2 or first.episode_step < 10:
        first.step()
    state = first.state_dict()
    del state["sums"]["q_values"]  # as the version before saved it
    second = TrainingRun(parameters, device="cpu", recipe=RECIPE)
    second.load_state_dict(state)
    whole, resumed = records(finish(first)), records(finish(second))
    assert resumed[0].q_value is None
    assert resumed[0] == msgspec.structs.replace(whole[0], q_value=None)
    assert resumed[1:] == whole[1:]


def test_epsilon_follows_the_schedule_of_the_whole_run(parameters: TrainingParameters) -> None:
    schedule = EpsilonSchedule(kind="linear", start=0.8, end=0.2, fraction=1.0)
    episodes = records(finish(TrainingRun(parameters, device="cpu", recipe=Recipe(schedule=schedule))))
    expected = [schedule.epsilon(episode, 6) for episode in range(1, 7)]
    assert [record.epsilon for record in episodes] == expected


def test_evaluations_are_spread_over_the_run_and_change_nothing(parameters: TrainingParameters) -> None:
    with_two = TrainingRun(parameters, device="cpu", recipe=Recipe(evaluations=2))
    with_six = TrainingRun(parameters, device="cpu", recipe=Recipe(evaluations=6))
    evaluated = [r.episode for r in records(finish(with_two)) if r.evaluation is not msgspec.UNSET]
    assert evaluated == [3, 6]
    assert all(record.evaluation is not msgspec.UNSET for record in records(finish(with_six)))
    assert_same_weights(with_two, with_six)


def test_an_evaluation_has_a_cap_of_its_own(parameters: TrainingParameters) -> None:
    recipe = Recipe(evaluation_episodes=3, evaluation_max_steps=9, evaluation_random_starts=5)
    usual, random = TrainingRun(parameters, device="cpu", recipe=recipe).evaluate()
    assert (usual.mean_length, usual.episodes) == (9, 3)
    assert random.mean_length <= 9
    assert random.episodes == 5


def test_random_starts_of_evaluations_are_the_same_in_every_run(parameters: TrainingParameters) -> None:
    first = TrainingRun(parameters, device="cpu", recipe=RECIPE)
    other = TrainingRun(msgspec.structs.replace(parameters, seed=8), device="cpu", recipe=RECIPE)
    other.load_state_dict(first.state_dict())
    assert first.evaluate() == other.evaluate()
    other.step()
    assert other.evaluate() is other.evaluate(), "no update was made in between"


@pytest.mark.parametrize("num_episodes", [1, 7, 19, 20, 21, 1000])
def test_the_last_episode_is_always_evaluated_and_never_too_many(num_episodes: int) -> None:
    due = [e for e in range(1, num_episodes + 1) if Recipe(evaluations=20).evaluates_after(e, num_episodes)]
    assert due[-1] == num_episodes
    assert len(due) <= 20


def test_the_same_seed_is_the_same_run_and_another_is_not(parameters: TrainingParameters) -> None:
    one, same = (TrainingRun(parameters, device="cpu", recipe=RECIPE) for _ in range(2))
    other = TrainingRun(msgspec.structs.replace(parameters, seed=8), device="cpu", recipe=RECIPE)
    outcomes = finish(one)
    assert outcomes == finish(same)
    assert_same_weights(one, same)
    assert outcomes != finish(other)


@pytest.mark.parametrize("steps", [0, 1, 19, 20, 21, 50], ids=str)
def test_going_on_from_a_saved_state_is_exact_wherever_it_was_taken(
    parameters: TrainingParameters, steps: int
) -> None:
    parameters = msgspec.structs.replace(parameters, num_episodes=4)
    whole = TrainingRun(parameters, device="cpu", recipe=RECIPE)
    expected = finish(whole)

    first = TrainingRun(parameters, device="cpu", recipe=RECIPE)
    before = [first.step() for _ in range(steps)]
    position = first.episode, first.episode_step
    state = decode_run_state(encode_run_state(first.state_dict()))
    first.step()  # what happens after the saving is not in the state
    second = TrainingRun(parameters, device="cpu", recipe=RECIPE)
    second.load_state_dict(state)

    assert (second.episode, second.episode_step) == position
    assert before + finish(second) == expected
    assert_same_weights(whole, second)
    assert second.updates == whole.updates
    assert np.array_equal(second.visits, whole.visits)


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 1.0])
@pytest.mark.parametrize("worlds", [1, 3])
def test_a_share_of_the_episodes_begins_anywhere(
    parameters: TrainingParameters, share: float, worlds: int
) -> None:
    parameters = msgspec.structs.replace(
        parameters, random_start=share, num_envs=worlds, num_episodes=12, max_steps=2
    )
    run = TrainingRun(parameters, device="cpu", recipe=RECIPE)
    usual = Worlds(1, run.worlds.config).get_state(0)
    begun: list[WorldState] = []
    while not run.finished:
        begun += [
            start
            for start in run.episode_starts
            if start is not None and not any(start is known for known in begun)
        ]
        run.step()
    assert len(begun) >= 12
    anywhere = [start for start in begun if start.meters != usual.meters]
    assert len(anywhere) == int(len(begun) * share)
    assert len({start.meters for start in anywhere}) == len(anywhere)


def test_exploring_starts_follow_the_share_and_going_on_is_exact(parameters: TrainingParameters) -> None:
    recipe = msgspec.structs.replace(RECIPE, exploring_starts=8)
    steps = {}
    for share in (0.0, 0.5, 1.0):
        chosen = msgspec.structs.replace(parameters, network_type="options", random_start=share)
        whole, second = (TrainingRun(chosen, device="cpu", recipe=recipe) for _ in range(2))
        for _ in range(50):
            whole.step()
        second.load_state_dict(decode_run_state(encode_run_state(whole.state_dict())))
        assert finish(second) == finish(whole)
        assert_same_weights(whole, second)
        steps[share] = whole.steps - int(whole.visits.sum())
    assert steps[0.0] == 0
    assert 5 * 4 < steps[0.5] < steps[1.0], "a few after each episode but the last"
    by_steps = TrainingRun(parameters, device="cpu", recipe=recipe)
    finish(by_steps)
    assert by_steps.steps == by_steps.visits.sum(), "single steps have none"


def test_a_state_of_before_random_starts_goes_on(parameters: TrainingParameters) -> None:
    parameters = msgspec.structs.replace(parameters, random_start=0.0)
    whole, second = (TrainingRun(parameters, device="cpu", recipe=RECIPE) for _ in range(2))
    for _ in range(30):
        whole.step()
    state = whole.state_dict()
    del state["begun"]
    second.load_state_dict(state)
    assert finish(second) == finish(whole)


def test_a_state_is_a_copy(parameters: TrainingParameters) -> None:
    run = TrainingRun(parameters, device="cpu", recipe=RECIPE)
    for _ in range(50):
        run.step()
    state = run.state_dict()
    before = encode_run_state(copy.deepcopy(state))
    finish(run)
    assert encode_run_state(state) == before


def test_visits_count_where_every_step_ended(parameters: TrainingParameters) -> None:
    run = TrainingRun(parameters, device="cpu")
    expected = np.zeros((8, 8), dtype=np.int64)
    while not run.finished:
        run.step()
        x, y = run.worlds.positions[0, 0]
        expected[y, x] += 1
    assert np.array_equal(run.visits, expected)
    assert expected.sum() == run.steps


def test_the_world_shows_how_an_episode_ended_until_the_next_begins(parameters: TrainingParameters) -> None:
    run = TrainingRun(msgspec.structs.replace(parameters, max_steps=500), device="cpu", recipe=RECIPE)
    while (outcome := run.step()).record is None:
        pass
    fatal = METERS.index(str(outcome.record.failure_reason).removesuffix("_depleted"))
    assert run.worlds.meters[0, 0, fatal] == 0
    assert (run.episode, run.episode_step) == (2, 0)
    run.step()
    assert (run.episode, run.episode_step) == (2, 1)


def test_a_checkpoint_tells_of_the_run_and_gives_another_its_weights(parameters: TrainingParameters) -> None:
    config = WorldConfig(end_penalty=50)
    run = TrainingRun(parameters, world_config=config, device="cpu", recipe=RECIPE)
    finish(run)
    checkpoint = run.checkpoint()
    assert checkpoint.metadata.episode == 6
    assert checkpoint.metadata.seed == 7
    assert checkpoint.metadata.parameters == msgspec.to_builtins(parameters)
    assert checkpoint.metadata.world is not None
    assert checkpoint.metadata.world["end_penalty"] == 50
    assert checkpoint.metadata.world["max_steps"] == 20
    evaluations = [checkpoint.metadata.evaluation, checkpoint.metadata.evaluation_random]
    assert evaluations == [msgspec.to_builtins(summary) for summary in run.evaluate()]
    assert evaluations[0] != evaluations[1]

    wanted = msgspec.structs.replace(parameters, network_type="relational", seed=9)
    following = TrainingRun(wanted, device="cpu", start_from=checkpoint)
    assert following.parameters.network_type == "qnetwork"
    assert_same_weights(run, following)


def test_weights_that_blow_up_end_the_run_with_what_to_do(parameters: TrainingParameters) -> None:
    run = TrainingRun(parameters, device="cpu", recipe=RECIPE)
    checkpoint = run.checkpoint()
    with torch.no_grad():
        for tensor in checkpoint.network.parameters():
            tensor.fill_(1e30)
    exploding = TrainingRun(parameters, device="cpu", recipe=RECIPE, start_from=checkpoint)
    with pytest.raises(DivergedError, match="smaller learning_rate"):
        finish(exploding)
