"""The benchmark of learning: what it runs, keeps, sums up and draws."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bench.learning import main
from bench.learning.ceiling import follow_rule, search
from bench.learning.command import PICTURE
from bench.learning.configurations import CONFIGURATIONS, PARTS, WHOLE
from bench.learning.picture import band, picture
from bench.learning.playing import CAP, begin, play, play_by_state, play_greedily
from bench.learning.published import encode, published, split
from bench.learning.results import Point, Result, ResultFolder
from bench.learning.table import rows
from hamlet_trio.agent.policy import Policy


def made(configuration: str = "default", episodes: int = 100, seed: int = 1, **changes: Any) -> Result:
    """A result with curve points after each half of the run."""
    fields: dict[str, Any] = {
        "configuration": configuration,
        "episodes": episodes,
        "seed": seed,
        "steps": 1000,
        "updates": 10,
        "survival": 100.0,
        "return": 5.0,
        "random_start_survival": 40.0,
        "random_starts": 300,
        "random_start_completed": 0.25,
        "curve": [
            {"episode": episodes // 2, "steps": 500, "survival": 50.0, "return": 0.0},
            {"episode": episodes, "steps": 1000, "survival": 100.0, "return": 5.0},
        ],
        "wall_seconds": 2.0,
        "cpu_seconds": 1.0,
        "versions": {},
    }
    return msgspec.convert(fields | changes, Result)


def timeless(result: Result | None) -> Result:
    assert result is not None
    return msgspec.structs.replace(result, wall_seconds=0.0, cpu_seconds=0.0)


def test_a_run_is_kept_repeats_itself_and_is_not_made_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = ResultFolder(tmp_path / "one"), ResultFolder(tmp_path / "other")
    for folder in ("one", "other"):
        main(["default", "--episodes", "2", "--seeds", "3-4", "--results", str(tmp_path / folder)])
    assert "default, 2 episodes, seed 3: lives" in capsys.readouterr().err
    assert [result.seed for result in one.all()] == [3, 4]
    assert [timeless(result) for result in one.all()] == [timeless(result) for result in other.all()]
    first = one.all()[0]
    assert [point.episode for point in first.curve] == [1, 2]
    assert (first.curve[-1].survival, first.curve[-1].steps) == (first.survival, first.steps)

    marked = msgspec.structs.replace(first, survival=499.0)
    one.save(marked)
    main(["default", "--episodes", "2", "--seeds", "3", "--results", str(tmp_path / "one")])
    assert one.find("default", 2, 3) == marked
    assert "seed 3" not in capsys.readouterr().err


def test_stable_baselines_is_given_the_steps_of_the_default_learner(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("stable_baselines3")
    arguments = ["sb3-dqn", "--episodes", "100", "--seeds", "1", "--results", str(tmp_path)]
    main(arguments)
    assert "left out" in capsys.readouterr().err
    folder = ResultFolder(tmp_path)
    folder.save(made(steps=400))
    main(arguments)
    result = folder.find("sb3-dqn", 100, 1)
    assert result is not None
    assert result.steps == 400
    assert [point.steps for point in result.curve] == list(range(20, 401, 20))
    folder.save(made(steps=40))
    main(["sb3-dqn-long", *arguments[1:]])
    longer = folder.find("sb3-dqn-long", 100, 1)
    assert longer is not None
    assert longer.steps == 400


def test_behaviours_are_measured_and_each_beats_the_one_before(tmp_path: Path) -> None:
    names = ["random", "option-exploration", "rule"]
    main([*names, "--seeds", "5", "--results", str(tmp_path)])
    found = [ResultFolder(tmp_path).find(name, 0, 5) for name in names]
    chance, options, rule = (result for result in found if result is not None)
    assert 70 < chance.survival < 80
    assert options.survival > 2 * chance.survival
    assert rule.survival == 500
    assert rule.random_start_survival > 400


@pytest.mark.long
def test_a_search_with_the_rules_known_survives_where_the_rule_does_not() -> None:
    starts = begin(20, seed=10, random_start=True)
    rule = play_by_state(follow_rule, begin(20, seed=10, random_start=True))
    heard: list[int] = []
    found = search(starts, heard.append)
    assert heard == sorted(heard)
    assert heard[-1] == CAP
    assert found.survival > rule.survival
    assert found.completed > rule.completed
    assert not starts.steps.any(), "it plans in worlds of its own"


def test_every_policy_is_measured_from_the_same_starts() -> None:
    policy = Policy.untrained(1)
    acts: list[int] = []

    def act(observations: Any) -> Any:
        acts.append(len(observations))
        return policy.act(observations).actions

    usual, *anywhere = play_greedily(act)
    assert (usual, *anywhere) == play_greedily(lambda seen: policy.act(seen).actions)
    assert acts[0] == 1
    assert {300, 1000} <= set(acts)
    assert play(act, 3).survival == usual.survival, "from the usual start every episode is the same"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["nothing"], "there is no configuration nothing"),
        (["--seeds", "1-x"], "'1-x' is no number"),
        (["--episodes", ""], "'' is no number"),
    ],
)
def test_what_is_misspelt_is_refused(
    arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
    assert reason in capsys.readouterr().err


def test_a_row_sums_up_the_seeds() -> None:
    results = [made(seed=seed, survival=float(survival)) for seed, survival in enumerate([76, 100, 160, 500])]
    (row,) = rows(results)
    assert row.survival == (76.0, 94.0, 130.0, 245.0, 500.0)
    assert row.seeds == [0, 1, 2, 3]
    assert row.interval == (76.0, 500.0)
    assert row.anywhere == (40.0, 40.0, (40.0, 40.0))
    assert row.completed == 0.25
    assert row.many is None
    (older,) = rows([made(random_start_completed=None)])
    assert older.anywhere is None
    (newer,) = rows([made(seed=seed, many_starts_survival=40.0 + seed) for seed in range(3)])
    assert newer.many == (41.0, 40.0, (40.0, 42.0))
    mixed = [made("default", 300), made("default"), made("sb3-ppo"), made("random", 0)]
    assert [(row.configuration, row.episodes) for row in rows(mixed)] == [
        ("random", 0),
        ("sb3-ppo", 100),
        ("default", 100),
        ("default", 300),
    ]


def test_a_part_is_compared_with_the_whole_of_its_own_seeds() -> None:
    reported = [made(seed=1), made("older", seed=1), made("egocentric", seed=1)]
    parts = [made("egocentric", seed=2), made("one-step", seed=2)]
    assert split(reported + parts) == (reported, parts)


def test_a_band_spans_the_seeds_and_holds_until_the_next_evaluation() -> None:
    low, high = (
        made(seed=1),
        made(seed=2, curve=[{"episode": 20, "steps": 9, "survival": 300.0, "return": 1}]),
    )
    found = band([low, high])
    assert found.low[0] == 50
    assert found.low[9] == 50
    assert found.low[-1] == 100
    assert set(found.high) == {300.0}
    assert found.median[-1] == 200


def test_a_picture_has_a_panel_for_each_length_of_run() -> None:
    results = [made(), made(episodes=300), made("older", 300), made("random", 0, curve=[])]
    root = ET.fromstring(picture(results))  # noqa: S314 (our own)
    name = "{http://www.w3.org/2000/svg}"
    words = [text.text for text in root.iter(f"{name}text")]
    assert "100 episodes" in words
    assert "300 episodes" in words
    assert len(list(root.iter(f"{name}polyline"))) == 3
    assert len(list(root.iter(f"{name}polygon"))) == 2


def changed(one: Any, other: Any, path: str = "") -> set[str]:
    """Paths at which two plain values differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        names = one.keys() | other.keys()
        return {
            found for name in names for found in changed(one.get(name), other.get(name), f"{path}.{name}")
        }
    return set() if one == other else {path.removeprefix(".")}


def test_each_part_takes_away_what_it_says_and_no_more() -> None:
    default = msgspec.to_builtins(CONFIGURATIONS[WHOLE])
    taken = {name: changed(default, msgspec.to_builtins(CONFIGURATIONS[name])) - {"what"} for name in PARTS}
    assert taken == {
        "no-map": {"settings.network_type"},
        "no-options": {"recipe.learner.exploration"},
        "one-step": {"recipe.learner.n_step"},
        "no-munchausen": {"recipe.learner.munchausen"},
        "single-dqn": {"recipe.learner.munchausen", "recipe.learner.double"},
        "per-step": {"recipe.updates_per_episode"},
        "no-anneal": {"recipe.learner.learning_rate_end"},
        "no-scale": {"recipe.learner.reward_scale"},
        "eight-worlds": {"settings.num_envs"},
    }


def test_what_is_published_is_whole_and_its_picture_fresh() -> None:
    results = published()
    keys = [(result.configuration, result.episodes, result.seed) for result in results]
    assert len(set(keys)) == len(keys)
    assert json.loads(encode(results)) == msgspec.to_builtins(results)
    reported, _ = split(results)
    assert PICTURE.read_text(encoding="utf-8") == picture(reported), "run: python -m bench learning --publish"
    for result in reported:
        if result.curve and result.configuration == "default":
            last: Point = result.curve[-1]
            assert (last.episode, last.survival) == (result.episodes, result.survival)
