"""The leaderboard: how contenders are made, scored, kept and summed up."""

from pathlib import Path
from typing import Any

import gymnasium
import msgspec
import numpy as np
import pytest

from bench.leaderboard import contest, main
from bench.leaderboard.contenders import CONTENDERS, Contender, module_of
from bench.leaderboard.contest import BUDGET, ENVIRONMENTS, EPISODES, FIRST_SEED, SEEDS, score
from bench.leaderboard.entry import MEASURED, Entry, EntryFolder, encode, published
from bench.leaderboard.standings import estimate, interquartile_mean, overall, standings
from bench.leaderboard.untrained import begin, random_play


def made(contender: str = "sb3-dqn", seed: int = 1, **changes: Any) -> Entry:
    fields: dict[str, Any] = {
        "contender": contender,
        "environment": "Hamlet-v0",
        "seed": seed,
        "steps": 100,
        "survival": 100.0,
        "return": -5.0,
        "completed": 0.0,
        "cpu_seconds": 1.0,
        "versions": {},
    }
    return msgspec.convert(fields | changes, Entry)


def test_a_run_is_kept_and_not_made_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["random", "rule", "--seeds", "7", "8", "--results", str(tmp_path)]
    main(arguments)
    assert capsys.readouterr().err.count("survives") == 6, "the rule has no seeds"
    found = {(entry.contender, entry.environment): entry for entry in EntryFolder(tmp_path).all()}
    assert 70 < found["random", "Hamlet-v0"].survival < 80
    assert found["rule", "Hamlet-v0"].survival == 500
    rule = found["rule", "Hamlet-random-v0"]
    assert found["random", "Hamlet-random-v0"].survival < 60
    assert 440 < rule.survival < 500
    assert 0.85 < rule.completed < 1

    main(arguments)
    output = capsys.readouterr()
    assert "survives" not in output.err
    assert "Hamlet-random-v0" in output.out


def test_those_who_read_the_state_play_the_same_episodes_as_the_others() -> None:
    for environment in ENVIRONMENTS:
        envs = gymnasium.make_vec(f"hamlet_trio:{environment}", num_envs=EPISODES)
        observations, _ = envs.reset(seed=FIRST_SEED)
        np.testing.assert_array_equal(begin(environment).observe()[:, 0], observations)
    assert max(SEEDS) < FIRST_SEED, "no run may train on the seeds of the episodes"


@pytest.mark.parametrize(
    "name",
    ["options"]
    + [pytest.param(name, marks=pytest.mark.long) for name in ("sb3-dqn", "sb3-ppo", "skrl-dqn", "skrl-ppo")],
)
def test_each_learner_returns_its_policy_and_its_steps(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    contender = CONTENDERS[name]
    if contender.packages:
        pytest.importorskip(contender.packages[0].replace("-", "_"))
    monkeypatch.chdir(tmp_path)
    act, steps = trained(contender, monkeypatch)
    assert 0 < steps <= 1024
    repeated, _ = trained(contender, monkeypatch)
    envs = gymnasium.make_vec("hamlet_trio:Hamlet-random-v0", num_envs=40)
    observations, _ = envs.reset(seed=1)
    actions = act(observations)
    assert actions.shape == (40,)
    assert set(actions.tolist()) <= set(range(5))
    np.testing.assert_array_equal(repeated(observations), actions, err_msg="a seed makes the same policy")
    assert list(tmp_path.iterdir()) == [], "it leaves no files behind"


def trained(contender: Contender, monkeypatch: pytest.MonkeyPatch) -> tuple[contest.Act, int]:
    """Train for a hundredth of the budget."""
    train = module_of(contender.kind)
    if contender.kind == "own":
        own: tuple[contest.Act, int] = train(5, {"num_episodes": 2})
        return own
    monkeypatch.setattr(f"{train.__module__}.BUDGET", 1024)
    other: tuple[contest.Act, int] = train(contender.algorithm, "Hamlet-v0", 5, contender.settings)
    return other


def test_an_unknown_contender_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["nobody"])
    assert "there is no contender nobody; choose from planner, rule" in capsys.readouterr().err


def test_the_interquartile_mean_cuts_a_quarter_at_either_end() -> None:
    assert interquartile_mean(np.array([500.0, 1.0, 2.0, 4.0, 0.0, 3.0, 5.0, 6.0])) == 3.5
    assert interquartile_mean(np.array([7.0])) == 7.0


def test_seeds_are_drawn_within_each_environment() -> None:
    scores = np.array([[0.0, 1.0]] * 8)
    assert estimate(scores) == (0.5, (0.5, 0.5)), "drawn across both, the interval would be wide"
    value, interval = estimate(np.array([[float(number)] for number in range(10)]))
    assert value == 4.5
    assert interval is not None
    assert 0 < interval[0] < 4.5 < interval[1] < 9
    assert estimate(np.array([[3.0]])) == (3.0, None), "one seed has no interval"


def test_standings_sum_up_the_seeds_best_first() -> None:
    entries = [made(seed=seed, survival=float(70 + seed)) for seed in range(1, 5)]
    better = made("options", survival=500.0, environment="Hamlet-v0")
    rows = standings([*entries, better, made("random", environment="Hamlet-random-v0")], "Hamlet-v0")
    assert [row.contender for row in rows] == ["options", "sb3-dqn"]
    assert (rows[1].survival[0], rows[1].least, rows[1].seeds) == (72.5, 71, 4)
    everywhere = [made("options", environment=name, survival=400.0) for name in ENVIRONMENTS]
    assert overall([*entries, *everywhere]) == [("options", 1, (0.8, None))], "only who played both"


def test_what_is_published_keeps_the_rules() -> None:
    entries = published()
    assert MEASURED.read_bytes() == encode(entries)
    keys = [(entry.contender, entry.environment, entry.seed) for entry in entries]
    assert len(set(keys)) == len(keys)
    for entry in entries:
        contender = CONTENDERS[entry.contender]
        assert entry.seed in (SEEDS if contender.seeded else [0])
        # A rollout of PPO that has begun is filled.
        rollout = contender.settings.get("n_steps", 0) * 8
        assert entry.steps <= BUDGET + rollout
    assert {entry.contender for entry in entries} <= set(CONTENDERS)
    again = score(random_play(SEEDS[0]), "Hamlet-v0")
    (kept,) = [
        entry
        for entry in entries
        if (entry.contender, entry.environment, entry.seed) == ("random", "Hamlet-v0", SEEDS[0])
    ]
    assert round(again.survival, 2) == kept.survival
