"""Networks that leave for other programs, or come from them, give the same Q-values there."""

import dataclasses
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import msgspec
import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from hamlet_trio.agent.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from hamlet_trio.agent.metadata import CheckpointMetadata
from hamlet_trio.agent.names import NetworkType
from hamlet_trio.agent.networks import OptionsNetwork, build_network
from hamlet_trio.cli import app
from hamlet_trio.cli.errors import UserError
from hamlet_trio.exchange.comparison import ExchangeError, observations_of, q_values
from hamlet_trio.exchange.plain_torch import from_state_dict, read_perceptron
from hamlet_trio.world import WorldConfig, parallel_env

WORLD = WorldConfig()


def write_network(path: Path, network_type: NetworkType) -> Checkpoint:
    """Write a checkpoint with random weights."""
    network = build_network(network_type, 72, 5, 8, 8, generator=torch.Generator().manual_seed(3)).eval()
    if isinstance(network, OptionsNetwork):
        network.set_places(WORLD)
    checkpoint = Checkpoint(network=network, metadata=CheckpointMetadata(network_type=network_type))
    save_checkpoint(path, checkpoint)
    return checkpoint


def convert(*arguments: str | Path) -> str:
    """Run `hamlet convert`, which must succeed; return what it printed."""
    result = CliRunner().invoke(app, ["convert", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def perceptron(*widths: int) -> nn.Sequential:
    """Return a perceptron as somebody else would write it."""
    torch.manual_seed(5)
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(widths):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


# Torch takes up to half a minute to export one of these.
SLOW_TO_EXPORT = ("egocentric", "options", "relational", "spatial", "spatial_dueling")


@pytest.mark.parametrize(
    "network_type",
    [
        pytest.param(name, marks=pytest.mark.long) if name in SLOW_TO_EXPORT else name
        for name in get_args(NetworkType)
    ],
)
def test_a_network_answers_alike_in_another_onnx_runtime(tmp_path: Path, network_type: NetworkType) -> None:
    checkpoint = write_network(tmp_path / "agent.pt", network_type)
    assert "the same Q-values" in convert(tmp_path / "agent.pt", tmp_path / "agent.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "agent.onnx")
    for rows in (1, 3, 100):
        observations = observations_of(WORLD, rows)
        (found,) = session.run(["q_values"], {"observations": observations})
        np.testing.assert_allclose(found, q_values(checkpoint.network, observations), atol=1e-4)


@pytest.mark.parametrize("network_type", ["qnetwork", "egocentric", "options", "relational"])
def test_an_agent_of_stable_baselines_answers_alike(tmp_path: Path, network_type: NetworkType) -> None:
    checkpoint = write_network(tmp_path / "agent.pt", network_type)
    convert(tmp_path / "agent.pt", tmp_path / "agent.zip")
    from stable_baselines3 import DQN  # it takes seconds

    agent = DQN.load(tmp_path / "agent.zip", device="cpu")
    observations = observations_of(WORLD, 50)
    expected = q_values(checkpoint.network, observations)
    with torch.inference_mode():
        found = agent.policy.q_net(torch.from_numpy(observations)).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)
    actions, _ = agent.predict(observations, deterministic=True)
    np.testing.assert_array_equal(actions, expected.argmax(axis=1))


def test_an_agent_of_stable_baselines_learns_on_where_the_model_was(tmp_path: Path) -> None:
    parameters = {"gamma": 0.98, "learning_rate": 1e-3, "batch_size": 16, "buffer_capacity": 2000}
    made = write_network(tmp_path / "agent.pt", "qnetwork")
    metadata = msgspec.structs.replace(made.metadata, parameters=parameters)
    optimizer = torch.optim.Adam(made.network.parameters(), lr=2e-4).state_dict()
    trained = dataclasses.replace(made, metadata=metadata, epsilon=0.05, optimizer=optimizer)
    save_checkpoint(tmp_path / "agent.pt", trained)
    convert(tmp_path / "agent.pt", tmp_path / "agent.zip")
    from stable_baselines3 import DQN  # it takes seconds

    from hamlet_trio.envs.gymnasium_env import HamletEnv

    agent = DQN.load(tmp_path / "agent.zip", env=HamletEnv(), device="cpu")
    assert (agent.gamma, agent.batch_size, agent.buffer_size) == (0.98, 16, 2000)
    assert agent.lr_schedule(1) == pytest.approx(2e-4)
    before = q_values(agent.policy.q_net, observations_of(WORLD, 4))
    agent.learn(20)
    assert agent.exploration_rate == pytest.approx(0.05)
    after = q_values(agent.policy.q_net, observations_of(WORLD, 4))
    assert not np.array_equal(after, before)


def test_a_model_of_several_agents_becomes_an_agent_of_stable_baselines(tmp_path: Path) -> None:
    config = WorldConfig(num_agents=3)
    made = write_network(tmp_path / "agent.pt", "egocentric")
    metadata = msgspec.structs.replace(made.metadata, world=msgspec.to_builtins(config))
    save_checkpoint(tmp_path / "agent.pt", dataclasses.replace(made, metadata=metadata))
    convert(tmp_path / "agent.pt", tmp_path / "agent.zip")
    from stable_baselines3 import DQN  # it takes seconds

    agent = DQN.load(tmp_path / "agent.zip", device="cpu")
    assert agent.observation_space == parallel_env(config).observation_space("agent_2")


def test_a_plain_perceptron_needs_nothing_of_hamlets_to_be_loaded(tmp_path: Path) -> None:
    write_network(tmp_path / "agent.pt", "qnetwork")
    convert(tmp_path / "agent.pt", tmp_path / "agent.zip")
    assert b"hamlet_trio" not in (tmp_path / "agent.zip").read_bytes()


@pytest.mark.parametrize("hidden", [(), (16,), (64, 48, 32)])
def test_a_perceptron_saved_from_torch_becomes_a_model(tmp_path: Path, hidden: tuple[int, ...]) -> None:
    theirs = perceptron(72, *hidden, 5)
    torch.save(theirs.state_dict(), tmp_path / "theirs.pth")
    convert(tmp_path / "theirs.pth", tmp_path / "ours.pt", "--title", "From elsewhere")
    ours = load_checkpoint(tmp_path / "ours.pt")
    assert ours.metadata.title == "From elsewhere"
    observations = observations_of(WORLD)
    with torch.inference_mode():
        expected = theirs(torch.from_numpy(observations)).numpy()
    np.testing.assert_array_equal(q_values(ours.network, observations), expected)
    listed = CliRunner().invoke(app, ["models", "--models-dir", str(tmp_path), "--json"])
    (model,) = json.loads(listed.output)["models"]
    assert (model["name"], model["network_type"]) == ("ours.pt", "qnetwork")


def test_layers_may_have_our_names_in_any_world(tmp_path: Path) -> None:
    layers = perceptron(8 + 16 * 16, 16, 5).state_dict()
    torch.save({f"layers.{name}": values for name, values in layers.items()}, tmp_path / "theirs.pt")
    result = CliRunner().invoke(app, ["convert", str(tmp_path / "theirs.pt"), str(tmp_path / "ours.pt")])
    assert isinstance(result.exception, UserError)
    assert "maps 264 values to 5; a network for this world maps the 72" in str(result.exception)
    convert(tmp_path / "theirs.pt", tmp_path / "ours.pt", "--world", "twice-as-far")
    assert load_checkpoint(tmp_path / "ours.pt").world_config().width == 16


def test_layers_may_have_any_names(tmp_path: Path) -> None:
    layers = perceptron(72, 16, 5).state_dict()
    names = ("encoder.weight", "encoder.bias", "q.weight", "q.bias")
    torch.save(dict(zip(names, layers.values(), strict=True)), tmp_path / "theirs.pt")
    assert "the same Q-values" in convert(tmp_path / "theirs.pt", tmp_path / "ours.pt")
    assert read_perceptron(str(tmp_path / "theirs.pt")).spec.network_type == "qnetwork"


def test_a_perceptron_for_a_world_of_another_shape_names_that_world(tmp_path: Path) -> None:
    (tmp_path / "small.toml").write_text(
        "width = 4\nheight = 4\nstart = [1, 1]\n"
        "[affordances]\nBed = {x = 0, y = 0}\nJob = {x = 3, y = 3}\n"
        "Shower = false\nHomeMeal = false\nFastFood = false\nGym = false\nBar = false\nRecreation = false\n"
    )
    torch.save(perceptron(24, 16, 5).state_dict(), tmp_path / "theirs.pt")
    with pytest.raises(UserError, match="maps 24 values to 5; a network for this world maps the 72 values"):
        convert(tmp_path / "theirs.pt", tmp_path / "ours.pt")
    convert(tmp_path / "theirs.pt", tmp_path / "ours.pt", "--world", tmp_path / "small.toml")
    assert load_checkpoint(tmp_path / "ours.pt").world_config().width == 4


@pytest.mark.parametrize("name", ["state_dict", "model_state_dict"])
def test_a_state_dict_may_lie_beside_other_things(name: str) -> None:
    weights = perceptron(72, 16, 5).state_dict()
    found = from_state_dict({"epoch": 3, name: weights, "optimizer_state_dict": {"state": {}}})
    assert found.spec.network_type == "qnetwork"


def _with(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    weights: dict[str, Any] = dict(perceptron(72, 16, 5).state_dict())
    change(weights)
    return weights


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([1], "is no state dict"),
        ({}, "is no state dict"),
        ({"agent": dict(perceptron(72, 16, 5).state_dict())}, "agent holds a mapping in place of a weight"),
        (_with(lambda weights: weights.pop("2.bias")), r"2\.weight must be the weight and bias"),
        (_with(lambda weights: weights.update({"2.weight": torch.zeros(5, 17)})), r"2\.weight and 2\.bias"),
        (_with(lambda weights: weights.update({"0.bias": torch.zeros(3)})), r"0\.weight and 0\.bias"),
        (
            _with(lambda weights: weights.update({"0.weight": torch.zeros(16, 72, 3)})),
            r"0\.weight and 0\.bias",
        ),
        (_with(lambda weights: weights.update({"0.weight": torch.ones(16, 72).int()})), r"0\.weight and"),
        (_with(lambda weights: weights.update({"0.weight": torch.zeros(0, 72)})), r"0\.weight and 0\.bias"),
        (_with(lambda weights: weights.update({"0.bias": torch.full((16,), torch.nan)})), "not finite"),
        (dict(perceptron(72, 16, 4).state_dict()), "maps 72 values to 4"),
        (dict(perceptron(72, 9, 5).double().state_dict()), None),
    ],
)
def test_what_is_no_perceptron_is_refused_in_a_sentence(content: object, said: str | None) -> None:

    if said is None:
        assert from_state_dict(content).spec.network_type == "qnetwork"
        return
    with pytest.raises(ExchangeError, match=said):
        from_state_dict(content)


def test_a_file_that_is_neither_is_told_as_both(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(3)}, tmp_path / "odd.pt")
    with pytest.raises(UserError, match=r"odd\.pt does not fit: .* As a perceptron: odd\.pt is no plain"):
        convert(tmp_path / "odd.pt", tmp_path / "out.onnx")
    assert not (tmp_path / "out.onnx").exists()


def test_nothing_is_written_over_or_in_an_unknown_form(tmp_path: Path) -> None:
    write_network(tmp_path / "agent.pt", "qnetwork")
    with pytest.raises(UserError, match="is there already"):
        convert(tmp_path / "agent.pt", tmp_path / "agent.pt")
    with pytest.raises(UserError, match=r"end it with \.onnx, \.zip or \.pt"):
        convert(tmp_path / "agent.pt", tmp_path / "agent.h5")
    with pytest.raises(UserError, match="cannot be written: No such file or directory"):
        convert(tmp_path / "agent.pt", tmp_path / "nowhere" / "agent.onnx")
    with pytest.raises(UserError, match="brings its own world"):
        convert(tmp_path / "agent.pt", tmp_path / "agent.onnx", "--world", "two-bars")
