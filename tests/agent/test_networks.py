"""Networks: reference Q-values, keys and shapes, recognition, and weights drawn without global state."""

import json
import math
import re
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hamlet_trio.agent.names import NETWORK_TYPES, NetworkType
from hamlet_trio.agent.networks import (
    MAX_PARAMETERS,
    NETWORKS,
    NetworkError,
    RelationalNetwork,
    build_network,
    recognise,
    restore_network,
)
from hamlet_trio.agent.networks.grid import Convolved, GridConvolution

TYPES: tuple[NetworkType, ...] = get_args(NetworkType)
# These networks are this project's own: there is no reference for them.
REFERENCE_TYPES: tuple[NetworkType, ...] = tuple(t for t in TYPES if t not in {"egocentric", "options"})


def reference(
    folder: Path, network_type: str
) -> tuple[dict[str, torch.Tensor], dict[str, Any], torch.Tensor]:
    """Weights, the golden entry of the type, and the observations."""
    golden = json.loads((folder / "q_values.json").read_text())
    weights = torch.load(folder / f"reference_{network_type}.pt", weights_only=True)["q_network"]
    return weights, golden["networks"][network_type], torch.tensor(golden["observations"])


def test_every_type_has_a_network_and_a_description() -> None:
    assert set(TYPES) == set(NETWORK_TYPES) == set(NETWORKS)


@pytest.mark.parametrize("network_type", REFERENCE_TYPES)
def test_q_values_of_reference_checkpoints(golden_checkpoints: Path, network_type: NetworkType) -> None:
    weights, golden, observations = reference(golden_checkpoints, network_type)
    spec = recognise(weights)
    assert spec.network_type == network_type
    assert (spec.width, spec.height, spec.num_actions, spec.observation_size) == (8, 8, 5, 72)
    with torch.inference_mode():
        q_values = restore_network(spec, weights)(observations)
    torch.testing.assert_close(q_values, torch.tensor(golden["q_values"]), rtol=0, atol=1e-6)


@pytest.mark.parametrize("network_type", REFERENCE_TYPES)
def test_default_networks_have_the_reference_keys_and_shapes(
    golden_checkpoints: Path, network_type: NetworkType
) -> None:
    golden = json.loads((golden_checkpoints / "q_values.json").read_text())["networks"][network_type]["keys"]
    built = build_network(network_type, 72, 5, 8, 8).state_dict()
    assert {key: list(tensor.shape) for key, tensor in built.items()} == golden
    assert list(built) == list(golden)


def test_the_number_of_heads_is_the_one_that_reproduces_the_reference(golden_checkpoints: Path) -> None:
    weights, golden, observations = reference(golden_checkpoints, "relational")
    expected = torch.tensor(golden["q_values"])
    errors = {}
    for heads in (1, 2, 4, 8, 16):
        with torch.inference_mode():
            q_values = restore_network(recognise(weights, heads=heads), weights)(observations)
        errors[heads] = float((q_values - expected).abs().max())
    assert [heads for heads, error in errors.items() if error < 1e-5] == [4]


def test_attention_belongs_to_the_q_values(golden_checkpoints: Path) -> None:
    weights, _, observations = reference(golden_checkpoints, "relational")
    network = restore_network(recognise(weights), weights)
    assert isinstance(network, RelationalNetwork)
    with torch.inference_mode():
        q_values, attention = network.q_and_attention(observations, network.grid_cnn(observations[:, 8:]))
        torch.testing.assert_close(q_values, network(observations))
    assert attention.shape == (len(observations), 6, 6)
    torch.testing.assert_close(attention.sum(dim=2), torch.ones(len(observations), 6))
    assert float(attention.min()) >= 0


@pytest.mark.parametrize("rows", [1, 7])
def test_attention_is_that_of_torch(rows: int) -> None:
    """Against torch's own MultiheadAttention, with the same weights and averaged over heads."""
    generator = torch.Generator().manual_seed(5)
    network = build_network("relational", 72, 5, 8, 8, generator=generator)
    assert isinstance(network, RelationalNetwork)
    attention = torch.nn.MultiheadAttention(64, 4)
    weights = network.meter_attention.state_dict()
    attention.load_state_dict(weights)
    tokens = torch.randn(6, rows, 64, generator=generator)
    expected, expected_weights = attention(tokens, tokens, tokens)
    actual, actual_weights = network.meter_attention(tokens)
    torch.testing.assert_close(actual, expected)
    torch.testing.assert_close(actual_weights.mean(dim=1), expected_weights)


SIZES: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "qnetwork": st.fixed_dictionaries({"hidden": st.lists(st.integers(1, 9), max_size=3)}),
    "dueling": st.fixed_dictionaries(
        {
            "features": st.lists(st.integers(1, 9), min_size=1, max_size=3),
            "value_hidden": st.lists(st.integers(1, 9), max_size=2),
            "advantage_hidden": st.lists(st.integers(1, 9), max_size=2),
        }
    ),
    "spatial": st.fixed_dictionaries(
        {
            "channels": st.lists(st.integers(1, 4), min_size=1, max_size=3),
            "grid_features": st.integers(1, 9),
            "meter_features": st.lists(st.integers(1, 9), min_size=1, max_size=2),
            "combined": st.lists(st.integers(1, 9), max_size=2),
        }
    ),
    "relational": st.fixed_dictionaries(
        {
            "embedding_hidden": st.integers(1, 9),
            "embedding": st.sampled_from([4, 8, 12]),
            "feed_forward": st.integers(1, 9),
            "position_features": st.lists(st.integers(1, 9), min_size=1, max_size=2),
            "channels": st.lists(st.integers(1, 4), min_size=1, max_size=2),
            "grid_features": st.integers(1, 9),
            "features": st.lists(st.integers(1, 9), min_size=1, max_size=2),
        }
    ),
}


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_any_size_and_world_is_recognised_and_restored(data: st.DataObject) -> None:
    network_type: NetworkType = data.draw(st.sampled_from(TYPES))
    sizes = data.draw(SIZES[network_type]) if network_type in SIZES else {}
    width, height = data.draw(st.integers(2, 9)), data.draw(st.integers(2, 9))
    network = build_network(network_type, 8 + width * height, 5, width, height, **sizes)
    spec = recognise(network.state_dict(), width=width, height=height)
    assert spec == network.spec
    if width == height:
        assert recognise(network.state_dict()) == spec
    observations = torch.rand(3, spec.observation_size)
    with torch.inference_mode():
        expected = network(observations)
        assert expected.shape == (3, 5)
        restored = restore_network(spec, network.state_dict())
        # The values to the bit; what is computed of them rounds as the memory happens to be aligned.
        assert all(
            torch.equal(restored.state_dict()[key], value) for key, value in network.state_dict().items()
        )
        torch.testing.assert_close(restored(observations), expected)


def test_a_grid_is_read_row_by_row() -> None:
    """One cell away along x is one column of the image, so a wide world is not read as a tall one."""
    network = build_network("spatial", 8 + 3 * 5, 5, 5, 3)
    convolution = network.get_submodule("grid_cnn")[0]  # type: ignore[index]
    seen: list[torch.Tensor] = []
    convolution.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    observation = torch.zeros(1, 23)
    observation[0, 8 + 1 * 5 + 4] = 7.0
    network(observation)
    assert seen[0].shape == (1, 1, 3, 5)
    assert seen[0][0, 0, 1, 4] == 7.0


@pytest.mark.parametrize("network_type", ["spatial", "spatial_dueling", "relational"])
@pytest.mark.parametrize("different", [1, 4, 9])
def test_equal_grids_are_convolved_once_to_the_same_values(
    monkeypatch: pytest.MonkeyPatch, network_type: NetworkType, different: int
) -> None:
    """Nine rows of a wide world with so many different grids among them, against the layers themselves."""
    network = build_network(network_type, 8 + 3 * 5, 5, 5, 3, generator=torch.Generator().manual_seed(1))
    generator = torch.Generator().manual_seed(different)
    observations = torch.rand(9, 23, generator=generator)
    grids = torch.randint(11, (different, 15), generator=generator)
    observations[:, 8:] = grids[torch.arange(9) * 5 % different]
    convolved: list[int] = []
    plain = GridConvolution.convolve

    def counting(convolution: GridConvolution, distinct: torch.Tensor) -> Convolved:
        convolved.append(len(distinct))
        return plain(convolution, distinct)

    monkeypatch.setattr(GridConvolution, "convolve", counting)
    expected = network(observations)
    assert not convolved, "autograd goes through the layers"
    with torch.inference_mode():
        torch.testing.assert_close(network(observations), expected.detach())
    assert convolved == [different]


def weights_of(network_type: NetworkType) -> dict[str, torch.Tensor]:
    return dict(build_network(network_type, 72, 5, 8, 8).state_dict())


@pytest.mark.parametrize("network_type", TYPES)
def test_any_missing_key_is_named(network_type: NetworkType) -> None:
    weights = weights_of(network_type)
    for key in weights:
        rest = {other: tensor for other, tensor in weights.items() if other != key}
        with pytest.raises(NetworkError):
            recognise(rest)
    last = list(weights)[-1]
    del weights[last]
    with pytest.raises(
        NetworkError, match=re.escape(f"The parameter {last} of a {network_type} network is missing")
    ):
        recognise(weights)


@pytest.mark.parametrize("network_type", TYPES)
def test_any_wrong_shape_is_refused(network_type: NetworkType) -> None:
    weights = weights_of(network_type)
    for key, tensor in weights.items():
        for wrong in (torch.zeros(()), torch.zeros(3, *tensor.shape)):
            with pytest.raises(NetworkError):
                recognise({**weights, key: wrong})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layers.6.bias": torch.zeros(5)}, r"layers\.6\.bias does not belong to a qnetwork network"),
        ({"extra": torch.zeros(5)}, "The parameter extra does not belong to a qnetwork network"),
        ({"layers.2.bias": torch.zeros(7)}, r"layers\.2\.bias .* has shape \[7\]; \[128\] is needed"),
        ({"layers.0.weight": torch.zeros(128, 5)}, "say the world's width and height|no square"),
    ],
)
def test_what_does_not_fit_is_reported(change: dict[str, torch.Tensor], message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        recognise(weights_of("qnetwork") | change)


def test_foreign_weights_are_refused() -> None:
    with pytest.raises(
        NetworkError, match=r"Its parameters \(fc1\) belong to no known network; known are egocentric"
    ):
        recognise({"fc1.weight": torch.zeros(3, 3)})
    with pytest.raises(NetworkError, match="There are no weights"):
        recognise({})
    with pytest.raises(NetworkError, match="600 parameters"):
        recognise({f"layers.{index}.weight": torch.zeros(1) for index in range(600)})


def test_another_world_is_refused() -> None:
    with pytest.raises(NetworkError, match=r"a world of 64 cells \(72 observation values\), not of 10 x 10"):
        recognise(weights_of("spatial"), width=10, height=10)


def test_absurd_sizes_are_refused_before_anything_is_allocated() -> None:
    huge = torch.zeros(1).expand(1_000_000, 72)
    with pytest.raises(NetworkError, match="more than 8,000,000 are refused"):
        recognise(weights_of("qnetwork") | {"layers.0.weight": huge})
    with pytest.raises(NetworkError, match="more than 8,000,000 are refused"):
        build_network("qnetwork", 72, 5, 8, 8, hidden=[1_000_000, 1_000_000])
    assert MAX_PARAMETERS == 8_000_000


@pytest.mark.parametrize(
    ("network_type", "sizes", "message"),
    [
        (
            "nonesuch",
            {},
            "There is no network type 'nonesuch'; there are egocentric, options, qnetwork",
        ),
        ("qnetwork", {"hidden": [0]}, r"hidden is \(0,\); it must be from 1"),
        ("qnetwork", {"hidden": "wide"}, "hidden"),
        ("qnetwork", {"depth": 3}, "depth"),
        ("relational", {"heads": 7}, "7 attention heads do not divide an embedding of 64"),
    ],
)
def test_building_refuses_wrong_sizes(network_type: Any, sizes: dict[str, Any], message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        build_network(network_type, 72, 5, 8, 8, **sizes)


def test_building_refuses_an_observation_of_another_world() -> None:
    with pytest.raises(NetworkError, match="not of 8 x 8"):
        build_network("qnetwork", 73, 5, 8, 8)


@pytest.mark.parametrize("network_type", TYPES)
def test_weights_come_from_the_generator_alone(network_type: NetworkType) -> None:
    before = torch.get_rng_state()
    first, again, other = (
        build_network(network_type, 72, 5, 8, 8, generator=torch.Generator().manual_seed(seed)).state_dict()
        for seed in (1, 1, 2)
    )
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(first[key], again[key]) for key in first)
    differing = [key for key in first if not torch.equal(first[key], other[key])]
    constant = {
        "map_reader.cells",
        "place_reader.cells",
        "place_reader.places",
        "meter_attention.in_proj_bias",
        "attention_norm.weight",
        "attention_norm.bias",
    }
    assert set(first) - set(differing) == constant & set(first)


def test_weights_are_spread_as_torch_spreads_them() -> None:
    """Uniform in +-1/sqrt(fan-in), for layers, convolutions and the batched embeddings."""
    weights = build_network("relational", 72, 5, 8, 8).state_dict()
    fan_in = {
        "feature_extractor.0.weight": 160,
        "grid_cnn.2.weight": 16 * 9,
        "meter_embeddings.3.2.weight": 32,
    }
    for key, fan in fan_in.items():
        bound = 1 / math.sqrt(fan)
        assert bound * 0.97 < float(weights[key].abs().max()) <= bound
        assert float(weights[key].std()) == pytest.approx(bound / math.sqrt(3), rel=0.1)
