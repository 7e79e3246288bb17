"""Gradients written out, against autograd."""

import copy
import math
from typing import Any

import numpy as np
import pytest
import torch

from hamlet_trio.agent.gradients import AutogradGradients, ManualGradients, clip, gradients_of, norm_of
from hamlet_trio.agent.names import NETWORK_TYPES, NetworkType
from hamlet_trio.agent.networks import Network, build_network
from hamlet_trio.agent.networks.spec import SCALARS
from hamlet_trio.world import WorldConfig, Worlds

WIDTH, HEIGHT, ACTIONS = 3, 4, 5
SIZE = SCALARS + WIDTH * HEIGHT

NETWORKS: list[tuple[NetworkType, dict[str, Any]]] = [
    ("qnetwork", {}),
    ("qnetwork", {"hidden": []}),
    ("qnetwork", {"hidden": [7, 3, 5]}),
    ("egocentric", {}),
    ("egocentric", {"hidden": [9]}),
    ("options", {}),
    ("options", {"hidden": [9], "places": 3}),
    ("dueling", {}),
    ("dueling", {"features": [6], "value_hidden": [], "advantage_hidden": [4, 3]}),
    ("spatial", {}),
    ("spatial", {"channels": [4], "combined": []}),
    ("spatial_dueling", {"channels": [3, 5, 2], "meter_features": [6]}),
    ("relational", {}),
    ("relational", {"embedding": 12, "heads": 3, "feed_forward": 7, "channels": [3], "value_hidden": []}),
]
WITH_GRIDS: tuple[NetworkType, ...] = ("spatial", "spatial_dueling", "relational")


def build(network_type: NetworkType, sizes: dict[str, Any]) -> Network:
    generator = torch.Generator().manual_seed(3)
    return build_network(network_type, SIZE, ACTIONS, WIDTH, HEIGHT, generator=generator, **sizes)


def random_batch(network: Network, rows: int) -> tuple[torch.Tensor, ...]:
    """Prepared observations, actions, targets and weights; errors on both sides of a delta of 0.3."""
    generator = torch.Generator().manual_seed(rows)
    observations = torch.rand(rows, SIZE, generator=generator)
    observations[:, SCALARS:] = torch.randint(11, (rows, WIDTH * HEIGHT), generator=generator)
    values = getattr(network, "num_places", ACTIONS)
    actions = torch.randint(values, (rows, 1), generator=generator)
    targets = torch.randn(rows, generator=generator)
    return network.encode(network.preprocess(observations)), actions, targets


@pytest.mark.parametrize(("network_type", "sizes"), NETWORKS)
@pytest.mark.parametrize("rows", [1, 7, 32])
@pytest.mark.parametrize("extra", [0, 1, 40])
def test_written_out_they_are_those_of_autograd(
    network_type: NetworkType, sizes: dict[str, Any], rows: int, extra: int
) -> None:
    network = build(network_type, sizes)
    written, by_autograd = gradients_of(network, 0.3), AutogradGradients(copy.deepcopy(network), 0.3)
    assert isinstance(written, ManualGradients)
    observed, *wanted = random_batch(network, rows)
    others = random_batch(network, extra)[0] if extra else None
    # Twice, as the second gradient is written over the first.
    for _ in range(2):
        with written.computing():
            mine = written.forward(observed, others)
            found = written.backward(*wanted)
        with by_autograd.computing():
            theirs = by_autograd.forward(observed, others)
            expected = by_autograd.backward(*wanted)
        torch.testing.assert_close(mine.clone(), theirs)
        torch.testing.assert_close(found.q_values.clone(), expected.q_values)
        assert found.loss == pytest.approx(expected.loss, rel=1e-5)
        assert found.gradient_norm == pytest.approx(expected.gradient_norm, rel=1e-4)
        assert expected.gradient_norm > 0
        for gradient, right in zip(written.tensors(), by_autograd.tensors(), strict=True):
            torch.testing.assert_close(gradient, right)


@pytest.mark.parametrize(("network_type", "sizes"), NETWORKS)
def test_they_are_in_the_parameters_grad(network_type: NetworkType, sizes: dict[str, Any]) -> None:
    network = build(network_type, sizes)
    written = gradients_of(network, 1.0)
    observed, *wanted = random_batch(network, 4)
    with written.computing():
        written.forward(observed)
        written.backward(*wanted)
    for parameter, gradient in zip(network.parameters(), written.tensors(), strict=True):
        assert parameter.grad is gradient
        assert bool(gradient.any())


@pytest.mark.parametrize("network_type", WITH_GRIDS)
@pytest.mark.parametrize(("rows", "extra"), [(1, 0), (8, 0), (8, 24), (32, 32)])
@pytest.mark.parametrize("agents", [1, 3])
def test_equal_grids_do_not_change_them(
    network_type: NetworkType, rows: int, extra: int, agents: int
) -> None:
    """Grids as worlds have them, equal wherever the agents stand alike; in float64, so all but exact."""
    network = build_network(network_type, 72, ACTIONS, 8, 8).double()
    worlds = Worlds(rows + extra, WorldConfig(num_agents=agents), seed=agents)
    worlds.reset()
    for step in range(3):
        worlds.step(np.random.default_rng(step).integers(0, ACTIONS, (rows + extra, agents)))
    observations = torch.from_numpy(worlds.observe()[:, 0].astype(np.float64))
    observations[rows // 2, SCALARS:] = observations[0, SCALARS:]
    assert rows == 1 or len(torch.unique(observations[:, SCALARS:], dim=0)) < len(observations)
    gradient = torch.randn(rows, ACTIONS, generator=torch.Generator().manual_seed(1)).double()
    parameters = list(network.parameters())
    values = network(observations)
    expected = torch.autograd.grad((values[:rows] * gradient).sum(), parameters)
    for parameter in parameters:
        parameter.grad = torch.full_like(parameter, math.nan)
    backprop = network.backprop()
    assert backprop is not None
    with torch.inference_mode():
        torch.testing.assert_close(backprop.forward(observations), values.detach())
        torch.testing.assert_close(network(observations), values.detach())
        backprop.backward(gradient)
    for parameter, right in zip(parameters, expected, strict=True):
        assert parameter.grad is not None
        torch.testing.assert_close(parameter.grad, right)


@pytest.mark.parametrize("network_type", NETWORK_TYPES)
def test_convolutions_have_them_written_out_on_the_cpu_alone(network_type: NetworkType) -> None:
    network = build(network_type, {})
    assert isinstance(gradients_of(network, 1.0), ManualGradients)
    elsewhere = network.to("meta").backprop()
    assert (elsewhere is None) == (network_type in WITH_GRIDS)


@pytest.mark.parametrize("network_type", NETWORK_TYPES)
def test_clipping_is_torchs(network_type: NetworkType) -> None:
    network = build(network_type, {})
    computed = gradients_of(network, 1.0)
    observed, *wanted = random_batch(network, 8)
    with computed.computing():
        computed.forward(observed)
        norm = computed.backward(*wanted).gradient_norm
    expected = [torch.nn.Parameter(parameter.detach().clone()) for parameter in network.parameters()]
    for parameter, gradient in zip(expected, computed.tensors(), strict=True):
        parameter.grad = gradient.clone()
    with computed.computing():
        clip(computed.tensors(), norm / 3)
    assert float(norm_of(computed.tensors())) == pytest.approx(norm / 3, rel=1e-4)
    torch.nn.utils.clip_grad_norm_(expected, norm / 3)
    for parameter, gradient in zip(expected, computed.tensors(), strict=True):
        assert parameter.grad is not None
        assert torch.equal(parameter.grad, gradient)
