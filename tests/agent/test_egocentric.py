"""The egocentric network's map reading: features by hand, places underfoot, other shapes of world."""

import numpy as np
import pytest
import torch

from hamlet_trio.agent.networks import EgocentricNetwork, build_network
from hamlet_trio.world import WorldConfig, Worlds

PLACES = {place.code: (place.x, place.y) for place in WorldConfig().affordances}


def features_at(cell: tuple[int, int]) -> torch.Tensor:
    """Features of the eight places, (8, 8), seen from a cell of the default world."""
    worlds = Worlds(1)
    observation = worlds.observe().reshape(1, -1).copy()
    grid = observation[0, 8:].reshape(8, 8)
    grid[4, 4] = 0
    for code, (x, y) in PLACES.items():
        grid[y, x] = code
    grid[cell[1], cell[0]] = 9
    observation[0, :2] = np.array(cell) / 7
    network = build_network("egocentric", 72, 5, 8, 8)
    assert isinstance(network, EgocentricNetwork)
    features: torch.Tensor = network.map_reader(torch.from_numpy(observation))
    return features[0, 2:66].reshape(8, 8)


@pytest.mark.parametrize("cell", [(4, 4), (0, 0), (7, 0), (1, 1), (0, 7)])
def test_offsets_sides_distance_and_underfoot(cell: tuple[int, int]) -> None:
    features = features_at(cell)
    for code, (x, y) in PLACES.items():
        dx, dy = x - cell[0], y - cell[1]
        expected = [
            *(dx / 7, dy / 7),
            *(float(dx > 0), float(dy > 0)),
            *(float(dx < 0), float(dy < 0)),
            (abs(dx) + abs(dy)) / 7 - 1,
            float(dx == dy == 0),
        ]
        torch.testing.assert_close(features[code - 1], torch.tensor(expected), atol=1e-6, rtol=0)


def test_the_world_shows_what_the_reader_expects() -> None:
    """The same features whether the observation is made by hand, as above, or by the world."""
    network = build_network("egocentric", 72, 5, 8, 8)
    assert isinstance(network, EgocentricNetwork)
    observation = Worlds(1).observe().reshape(1, -1)
    features = network.map_reader(torch.from_numpy(observation))[0, 2:66].reshape(8, 8)
    torch.testing.assert_close(features, features_at((4, 4)), atol=1e-6, rtol=0)


def test_every_feature_is_bounded_and_finite_from_anywhere() -> None:
    worlds = Worlds(256, seed=3)
    worlds.reset(random_start=True)
    network = build_network("egocentric", 72, 5, 8, 8)
    assert isinstance(network, EgocentricNetwork)
    features = network.map_reader(torch.from_numpy(worlds.observe().reshape(256, -1)))
    assert features.shape == (256, 102)
    assert bool((features.abs() <= 1 + 1e-6).all())


def test_a_wide_world_is_measured_by_its_own_sides() -> None:
    network = build_network("egocentric", 8 + 3 * 2, 5, 3, 2)
    assert isinstance(network, EgocentricNetwork)
    observation = torch.zeros(1, 14)
    observation[0, 8 + 2] = 1.0  # the place of code 1 at (2, 0); the agent is at (0, 0)
    place = network.map_reader(observation)[0, 2:10]
    torch.testing.assert_close(place, torch.tensor([1.0, 0, 1, 0, 0, 0, 2 / 2 - 1, 0]))
