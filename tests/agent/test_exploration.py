"""Exploration: random actions at the rate asked for, options that reach all places alike."""

from collections import Counter

import numpy as np
import pytest

from hamlet_trio.agent.exploration import EpsilonGreedy, OptionExploration
from hamlet_trio.world import INTERACT, Worlds


def walk(
    options: OptionExploration, steps: int, epsilon: float, *, idle: int = 0
) -> tuple[Counter[str], float]:
    """Follow options, `idle` between them; return the uses of each place and the share of option steps."""
    worlds = Worlds(1, seed=0)
    names = [place.name for place in worlds.config.affordances]
    cells = {(place.x, place.y): name for place, name in zip(worlds.config.affordances, names, strict=True)}
    uses: Counter[str] = Counter()
    exploring = 0
    options.begin(1)
    for _ in range(steps):
        observation = worlds.observe().reshape(1, -1)
        explores, actions = options.draw(observation, epsilon)
        action = int(actions[0]) if explores[0] else idle
        exploring += bool(explores[0])
        options.record(observation, np.array([action]))
        x, y = worlds.positions[0, 0].tolist()
        if action == INTERACT and (x, y) in cells:
            uses[cells[x, y]] += 1
        worlds.step(np.array([action]))
        if worlds.over[0]:
            worlds.reset()
            options.begin(1)
    return uses, exploring / steps


def test_options_reach_every_place_and_favour_none() -> None:
    uses, share = walk(OptionExploration(5, 8, 8), 3000, epsilon=1.0)
    assert share == 1.0
    assert len(uses) == 8
    assert max(uses.values()) < 2 * min(uses.values())


def test_an_option_leads_to_a_place_used_least_in_the_episode() -> None:
    options = OptionExploration(1, 8, 8)
    worlds = Worlds(1, seed=0)
    options.begin(1)
    used: list[tuple[int, int]] = []
    while len(used) < 8 and not worlds.over[0]:
        observation = worlds.observe().reshape(1, -1)
        _, actions = options.draw(observation, 1.0)
        options.record(observation, actions)
        if actions[0] == INTERACT:
            x, y = worlds.positions[0, 0].tolist()
            used.append((x, y))
        worlds.step(actions)
    assert len(set(used)) == len(used) >= 5


@pytest.mark.parametrize("epsilon", [0.0, 0.3, 0.7])
def test_epsilon_is_about_the_share_of_steps_in_options(epsilon: float) -> None:
    _, share = walk(OptionExploration(2, 8, 8), 6000, epsilon=epsilon)
    assert abs(share - epsilon) < 0.08


@pytest.mark.parametrize("older", [False, True])
def test_options_continue_exactly_from_a_saved_state(older: bool) -> None:
    first, second = OptionExploration(9, 8, 8), OptionExploration(0, 8, 8)
    walk(first, 57, epsilon=0.5)
    saved = first.state_dict()
    if older:
        for row in saved["rows"]:
            row["errand"] = row.pop("option")
    second.load_state_dict(saved)
    observation = Worlds(1).observe().reshape(1, -1)
    for _ in range(40):
        explores, actions = first.draw(observation, 0.5)
        again, same = second.draw(observation, 0.5)
        assert explores.tolist() == again.tolist()
        assert actions.tolist() == same.tolist()


def test_random_actions_come_at_the_rate_of_epsilon() -> None:
    exploration = EpsilonGreedy(3)
    observations = np.zeros((10_000, 72), dtype=np.float32)
    explores, actions = exploration.draw(observations, 0.25)
    assert abs(explores.mean() - 0.25) < 0.02
    assert set(actions.tolist()) == {0, 1, 2, 3, 4}
