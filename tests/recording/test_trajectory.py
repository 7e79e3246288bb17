"""Playing actions out again, and what is marked in them."""

import numpy as np
import pytest

from hamlet_trio.recording.info import Marker
from hamlet_trio.recording.markers import find_markers
from hamlet_trio.recording.trajectory import play
from hamlet_trio.world import INTERACT, METERS, RULES_VERSION, WorldConfig, Worlds
from tests.recording.support import random_actions, start_of

UP, DOWN, LEFT, RIGHT = range(4)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("config", [WorldConfig(), WorldConfig(reward="survival", max_steps=40)], ids=str)
def test_every_state_is_the_one_that_was_world_through(config: WorldConfig, seed: int) -> None:
    start = start_of(config, seed=seed)
    actions = random_actions(config, start, seed)
    played = play(config, start, actions)
    world = Worlds(1, config)
    world.set_state(0, start)
    for step, action in enumerate([None, *actions]):
        if action is not None:
            np.testing.assert_array_equal(played.observations[step - 1], world.observe()[0, 0])
            result = world.step([action], components=True)
            assert played.actions[step] == action
            assert played.rewards[step] == result.rewards[0, 0]
            assert result.components is not None
            assert played.components[step].tolist() == [part[0, 0] for part in result.components]
            assert played.interacted[step] == result.interacted[0, 0]
        np.testing.assert_array_equal(played.positions[step], world.positions[0, 0])
        np.testing.assert_array_equal(played.meters[step], world.meters[0, 0])
        np.testing.assert_array_equal(played.normalised[step], world.normalised()[0, 0])
    assert played.over
    assert played.truncated == (len(actions) == config.max_steps)
    assert played.digest() == play(config, start, bytes(actions)).digest()


def test_one_other_action_gives_another_digest() -> None:
    config = WorldConfig()
    start = start_of(config)
    digests = {play(config, start, [UP, UP, last]).digest() for last in range(5)}
    assert len(digests) == 5


def test_actions_after_the_end_and_worlds_of_two_agents_are_refused() -> None:
    config = WorldConfig(max_steps=2)
    start = start_of(config)
    with pytest.raises(ValueError, match="after the end"):
        play(config, start, [UP] * 3)
    with pytest.raises(ValueError, match="actions"):
        play(config, start, [5])
    two = WorldConfig(num_agents=2)
    with pytest.raises(ValueError, match="2 agents"):
        play(two, start_of(two), [])


def test_uses_of_one_place_in_a_row_are_one_mark() -> None:
    config = WorldConfig()
    to_the_shower = [LEFT, LEFT, UP, UP]
    actions = [*to_the_shower, INTERACT, INTERACT, LEFT, UP, INTERACT, DOWN, RIGHT, INTERACT]
    marks = find_markers(play(config, start_of(config), actions))
    assert marks == (
        Marker(5, "interaction", "Shower", 2),
        Marker(9, "interaction", "Bed"),
        Marker(12, "interaction", "Shower"),
    )


def test_a_meter_is_marked_where_it_falls_to_its_lowest_band() -> None:
    config = WorldConfig()
    start = start_of(config)
    played = play(config, start, random_actions(config, start, 3))
    marks = find_markers(played)
    assert [mark.step for mark in marks] == sorted(mark.step for mark in marks)
    assert marks[-1] == Marker(played.steps, "end", played.failure_reason or "max_steps")
    criticals = [mark for mark in marks if mark.kind == "critical"]
    assert criticals
    for mark in criticals:
        band = getattr(config.shaped, mark.what).above[2]
        before, after = played.normalised[mark.step - 1 : mark.step + 1, METERS.index(mark.what)]
        assert after <= band < before


def test_the_rules_are_those_of_their_version() -> None:
    """When this fails on purpose, raise RULES_VERSION: recordings made before play out differently now."""
    digests = [
        play(config, start, random_actions(config, start, seed)).digest()[:16]
        for seed, config in enumerate([WorldConfig(), WorldConfig(reward="survival")])
        for start in [start_of(config)]
    ]
    assert (RULES_VERSION, digests) == (1, ["c74086ce26e33566", "f2a8a249d552ad83"])
