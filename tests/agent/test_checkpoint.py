"""Checkpoints: what is read, what is kept, and that equal ones are equal byte for byte."""

import copy
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import msgspec
import numpy as np
import pytest
import torch

from hamlet_trio.agent.checkpoint import (
    Checkpoint,
    CheckpointError,
    CheckpointMetadata,
    encode_checkpoint,
    load_checkpoint,
    parse_checkpoint,
    save_checkpoint,
)
from hamlet_trio.agent.names import NetworkType
from hamlet_trio.agent.networks import Network, build_network
from hamlet_trio.world import WorldConfig

TYPES: tuple[NetworkType, ...] = get_args(NetworkType)
REFERENCE_TYPES = [name for name in TYPES if name not in {"egocentric", "options"}]  # these are ours


def make_network(network_type: NetworkType = "qnetwork", *, seed: int = 1, **sizes: Any) -> Network:
    return build_network(network_type, 72, 5, 8, 8, generator=torch.Generator().manual_seed(seed), **sizes)


def make_checkpoint(network: Network | None = None, **metadata: Any) -> Checkpoint:
    network = make_network() if network is None else network
    return Checkpoint(
        network=network,
        metadata=CheckpointMetadata(network_type=network.spec.network_type, **metadata),
        epsilon=0.25,
    )


@pytest.mark.parametrize("network_type", REFERENCE_TYPES)
def test_reference_checkpoints_are_read(golden_checkpoints: Path, network_type: NetworkType) -> None:
    path = golden_checkpoints / f"reference_{network_type}.pt"
    checkpoint = load_checkpoint(path, width=8, height=8)
    assert checkpoint.spec.network_type == checkpoint.metadata.network_type == network_type
    assert checkpoint.metadata.format_version == 0
    assert checkpoint.epsilon == 0.123
    assert not checkpoint.network.training
    content = torch.load(path, weights_only=True)
    assert checkpoint.target is not None
    assert checkpoint.optimizer is not None
    assert checkpoint.optimizer.keys() == content["optimizer"].keys()
    for key, tensor in content["q_network"].items():
        assert torch.equal(checkpoint.network.state_dict()[key], tensor)
        assert torch.equal(checkpoint.target[key], content["target_network"][key])


def test_a_bare_state_dict_is_read(tmp_path: Path) -> None:
    network = make_network("dueling", features=[9, 7])
    torch.save(network.state_dict(), tmp_path / "bare.pt")
    checkpoint = load_checkpoint(tmp_path / "bare.pt")
    assert checkpoint.spec == network.spec
    assert checkpoint.metadata.sizes["features"] == [9, 7]
    assert checkpoint.target is None


def test_weights_of_other_precision_become_float32(tmp_path: Path) -> None:
    network = make_network()
    torch.save({key: value.double() for key, value in network.state_dict().items()}, tmp_path / "double.pt")
    read = load_checkpoint(tmp_path / "double.pt").network.state_dict()
    assert all(torch.equal(read[key], value) for key, value in network.state_dict().items())


def test_ours_carry_the_reference_keys_and_the_metadata(tmp_path: Path) -> None:
    network = make_network("relational", heads=2)
    config = msgspec.structs.replace(WorldConfig(), reward="survival")
    checkpoint = make_checkpoint(
        network,
        world=msgspec.to_builtins(config),
        episode=455,
        seed=2**40,
        parameters={"num_episodes": 455, "learning_rate": 1e-3},
        evaluation={"mean_length": 76.0, "mean_return": -74.9, "episodes": [{"length": 76}]},
        title="Middle",
        story="It lingers at the Gym.",
    )
    path = tmp_path / "ours.pt"
    save_checkpoint(path, checkpoint)
    content = torch.load(path, weights_only=True)
    assert list(content)[:6] == [
        "q_network",
        "target_network",
        "optimizer",
        "epsilon",
        "state_dim",
        "action_dim",
    ]
    assert (content["state_dim"], content["action_dim"], content["epsilon"]) == (72, 5, 0.25)
    metadata = content["metadata"]
    assert (metadata["format_version"], metadata["network_type"], metadata["episode"]) == (
        1,
        "relational",
        455,
    )
    assert metadata["sizes"]["heads"] == 2
    assert msgspec.convert(metadata["world"], WorldConfig) == config
    read = load_checkpoint(path)
    assert read.spec == network.spec, "the number of heads stands in the metadata alone"
    assert read.metadata == msgspec.structs.replace(checkpoint.metadata, sizes=metadata["sizes"])
    observations = torch.rand(4, 72)
    with torch.inference_mode():
        torch.testing.assert_close(read.network(observations), network(observations))


def test_a_wide_world_comes_back_from_the_metadata(tmp_path: Path) -> None:
    network = build_network("spatial", 8 + 15, 5, 5, 3)
    world = {"width": 5, "height": 3}
    save_checkpoint(tmp_path / "wide.pt", make_checkpoint(network, world=world))
    assert load_checkpoint(tmp_path / "wide.pt").spec == network.spec
    save_checkpoint(tmp_path / "bare.pt", make_checkpoint(network))
    with pytest.raises(CheckpointError, match="say the world's width and height"):
        load_checkpoint(tmp_path / "bare.pt")
    assert load_checkpoint(tmp_path / "bare.pt", width=5, height=3).spec == network.spec


def test_the_training_network_is_not_shared(tmp_path: Path) -> None:
    network = make_network()
    data = encode_checkpoint(make_checkpoint(network))
    read = parse_checkpoint(data, "x.pt")
    expected = copy.deepcopy(network.state_dict())
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(1)
    assert all(torch.equal(read.network.state_dict()[key], value) for key, value in expected.items())


def test_reading_and_writing_again_gives_the_same_bytes(golden_checkpoints: Path) -> None:
    for network_type in REFERENCE_TYPES:
        first = encode_checkpoint(load_checkpoint(golden_checkpoints / f"reference_{network_type}.pt"))
        again = parse_checkpoint(first, "x.pt")
        assert encode_checkpoint(again) == first


def test_equal_content_gives_equal_bytes_however_it_came_about() -> None:
    """Which equal strings, tuples and tensors are one object must not show."""
    word = "".join(["re", "ward"])
    shared = make_checkpoint(parameters={"reward": word, "other": word, "list": [1, 2]}, title=word)
    apart = make_checkpoint(
        parameters={"other": "".join(["rewar", "d"]), "list": [1, 2], "reward": "".join(["rew", "ard"])},
        title="".join(["r", "eward"]),
    )
    weights = shared.network.state_dict()
    view = {key: torch.stack((value, value))[1] for key, value in weights.items()}
    apart = Checkpoint(network=apart.network, metadata=apart.metadata, target=view, epsilon=0.25)
    assert encode_checkpoint(shared) == encode_checkpoint(apart)
    assert encode_checkpoint(shared) != encode_checkpoint(make_checkpoint(make_network(seed=2)))


def test_another_process_writes_the_same_bytes(tmp_path: Path) -> None:
    script = (
        "import sys, torch; torch.set_num_threads(1)\n"
        "from pathlib import Path\n"
        "from hamlet_trio.agent.checkpoint import *\n"
        "from hamlet_trio.agent.networks import build_network\n"
        "network = build_network('qnetwork', 72, 5, 8, 8, generator=torch.Generator().manual_seed(1))\n"
        "metadata = CheckpointMetadata(network_type='qnetwork', seed=3, parameters={'b': 1, 'a': 'x'})\n"
        "save_checkpoint(sys.argv[1], Checkpoint(network=network, metadata=metadata, epsilon=0.25))\n"
    )
    path = tmp_path / "there.pt"
    subprocess.run(
        [sys.executable, "-c", script, str(path)], check=True, env={**os.environ, "PYTHONHASHSEED": "77"}
    )
    here = encode_checkpoint(make_checkpoint(seed=3, parameters={"a": "x", "b": 1}))
    assert path.read_bytes() == here


def test_saving_replaces_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    save_checkpoint(path, make_checkpoint(episode=1))
    save_checkpoint(path, make_checkpoint(episode=2))
    assert load_checkpoint(path).metadata.episode == 2
    assert os.listdir(tmp_path) == ["model.pt"]


def test_a_reader_never_sees_half(tmp_path: Path) -> None:
    """A reader that has the older file open reads it to its end."""
    path = tmp_path / "model.pt"
    save_checkpoint(path, make_checkpoint(episode=1))
    older = path.read_bytes()
    with path.open("rb") as file:
        start = file.read(100)
        save_checkpoint(path, make_checkpoint(episode=2))
        assert start + file.read() == older


DISK_FULL = """
import resource, signal, sys, torch
from hamlet_trio.agent.checkpoint import *
from hamlet_trio.agent.networks import build_network
network = build_network('qnetwork', 72, 5, 8, 8, generator=torch.Generator().manual_seed(9))
metadata = CheckpointMetadata(network_type='qnetwork')
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
for limit in (0, 4096, 60_000):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        save_checkpoint(sys.argv[1], Checkpoint(network=network, metadata=metadata))
    except CheckpointError as error:
        print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on a file's size to set")
def test_a_write_that_fails_leaves_the_older_file(tmp_path: Path) -> None:
    """A limit on the file's size makes the write itself fail, as a full disk does, at several points."""
    path = tmp_path / "model.pt"
    save_checkpoint(path, make_checkpoint(episode=1))
    before = path.read_bytes()
    shown = subprocess.run(
        [sys.executable, "-c", DISK_FULL, str(path)], check=True, capture_output=True, text=True
    ).stdout
    sentence = "model.pt could not be saved: File too large; an older file of that name is unchanged.\n"
    assert shown == 3 * sentence
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["model.pt"]


def test_saving_into_no_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"^model\.pt could not be saved: No such file or directory"):
        save_checkpoint(tmp_path / "nowhere" / "model.pt", make_checkpoint())


def test_what_would_be_refused_is_not_written(tmp_path: Path) -> None:
    network = make_network()
    with torch.no_grad():
        next(network.parameters())[0, 0] = float("nan")
    with pytest.raises(CheckpointError, match=r"not finite, in layers\.0\.weight"):
        save_checkpoint(tmp_path / "model.pt", make_checkpoint(network))
    with pytest.raises(TypeError, match="ndarray"):
        encode_checkpoint(make_checkpoint(parameters={"x": np.zeros(2)}))
    assert os.listdir(tmp_path) == []


def test_permissions_are_those_of_any_new_file(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "model.pt", make_checkpoint())
    (tmp_path / "plain").touch()
    assert (tmp_path / "model.pt").stat().st_mode == (tmp_path / "plain").stat().st_mode
