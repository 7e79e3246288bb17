"""Policies: greedy, frozen, the same from any thread."""

import ctypes
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from hamlet_trio.agent.checkpoint import Checkpoint, CheckpointMetadata, load_checkpoint, save_checkpoint
from hamlet_trio.agent.device import DeviceError, choose_device
from hamlet_trio.agent.names import NetworkType
from hamlet_trio.agent.networks import build_network
from hamlet_trio.agent.networks.grid import GridConvolution
from hamlet_trio.agent.policy import Policy

OBSERVATIONS = np.random.default_rng(1).random((7, 72)).astype(np.float32)


def test_the_greedy_action_has_the_largest_q_value() -> None:
    output = Policy.untrained(3).act(OBSERVATIONS)
    assert (output.actions.dtype.name, output.actions.shape) == ("int64", (7,))
    assert (output.q_values.dtype.name, output.q_values.shape) == ("float32", (7, 5))
    np.testing.assert_array_equal(output.actions, output.q_values.argmax(axis=1))
    assert output.attention is None


def test_attention_when_asked_for_and_there() -> None:
    relational = Policy.untrained(3, network_type="relational")
    output = relational.act(OBSERVATIONS, attention=True)
    assert output.attention is not None
    assert output.attention.shape == (7, 6, 6)
    np.testing.assert_allclose(output.attention.sum(axis=2), 1.0, rtol=1e-5)
    plain = relational.act(OBSERVATIONS)
    assert plain.attention is None
    np.testing.assert_array_equal(plain.q_values, output.q_values)
    other = Policy.untrained(3)
    assert other.act(OBSERVATIONS, attention=True).attention is None


def test_an_untrained_policy_depends_on_its_seed_alone() -> None:
    torch.manual_seed(8)
    first = Policy.untrained(1).act(OBSERVATIONS).q_values
    torch.manual_seed(9)
    np.testing.assert_array_equal(Policy.untrained(1).act(OBSERVATIONS).q_values, first)
    assert not np.array_equal(Policy.untrained(2).act(OBSERVATIONS).q_values, first)
    assert Policy.untrained(1, width=5, height=3).spec.observation_size == 23


def test_a_policy_never_changes(tmp_path: Path) -> None:
    network = build_network("qnetwork", 72, 5, 8, 8)
    policy = Policy(network)
    before = policy.act(OBSERVATIONS).q_values
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(1.0)
    np.testing.assert_array_equal(policy.act(OBSERVATIONS).q_values, before)
    assert all(parameter.requires_grad for parameter in network.parameters()), (
        "the learner's stays a learner's"
    )
    saved = Checkpoint(network=network, metadata=CheckpointMetadata(network_type="qnetwork"))
    save_checkpoint(tmp_path / "model.pt", saved)
    loaded = Policy.from_checkpoint(load_checkpoint(tmp_path / "model.pt"))
    with torch.inference_mode():
        expected = network(torch.from_numpy(OBSERVATIONS)).numpy()
    np.testing.assert_array_equal(loaded.act(OBSERVATIONS).q_values, expected)


@pytest.fixture
def convolved(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many grids each convolution was given."""
    counts: list[int] = []
    plain = GridConvolution.forward

    def counting(convolution: GridConvolution, grids: torch.Tensor) -> torch.Tensor:
        counts.append(len(grids))
        return plain(convolution, grids)

    monkeypatch.setattr(GridConvolution, "forward", counting)
    return counts


@pytest.mark.parametrize("network_type", ["spatial", "spatial_dueling", "relational"])
def test_a_policy_convolves_a_grid_once(convolved: list[int], network_type: NetworkType) -> None:
    network = build_network(network_type, 72, 5, 8, 8, generator=torch.Generator().manual_seed(1))
    observations = OBSERVATIONS.copy()
    observations[:, 8:] = OBSERVATIONS[[0, 1, 2, 0, 1, 2, 0], 8:]
    with torch.inference_mode():
        expected = network(torch.from_numpy(observations))
    convolved.clear()
    policy = Policy(network)
    output = policy.act(observations)
    torch.testing.assert_close(torch.from_numpy(output.q_values), expected)
    assert convolved == [1, 1, 1], "each apart from the others"
    np.testing.assert_array_equal(policy.act(observations, attention=True).q_values, output.q_values)
    observations[:, :8] = 0.5
    assert not np.array_equal(policy.act(observations).q_values, output.q_values), "the meters count"
    assert len(convolved) == 3


def test_a_policy_knows_so_many_grids_at_most(convolved: list[int]) -> None:
    policy = Policy.untrained(1, network_type="spatial", width=3, height=3)
    observations = np.random.default_rng(2).random((2049, 17)).astype(np.float32)
    first = policy.act(observations[:2048]).q_values
    np.testing.assert_array_equal(policy.act(observations[:2048]).q_values, first)
    assert len(convolved) == 2048
    policy.act(observations[2048:])
    np.testing.assert_array_equal(policy.act(observations[:2048]).q_values, first)
    assert len(convolved) == 2048 + 1 + 2048, "all are forgotten for one more"


@pytest.mark.parametrize("network_type", ["qnetwork", "relational"])
def test_threads_may_share_a_policy(network_type: NetworkType) -> None:
    policy = Policy.untrained(1, network_type=network_type)
    rows = [OBSERVATIONS[index : index + 1] for index in range(7)] * 20
    expected = [Policy.untrained(1, network_type=network_type).act(row).q_values for row in rows[:7]] * 20
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda row: policy.act(row).q_values, rows))
    for answer, wanted in zip(answers, expected, strict=True):
        np.testing.assert_array_equal(answer, wanted)


def test_a_policy_computes_in_as_many_threads_as_were_set() -> None:
    libraries = list((Path(torch.__file__).parent / "lib").glob("libgomp*"))
    if not libraries:
        pytest.skip("this torch does not use GNU's OpenMP")
    openmp = ctypes.CDLL(str(libraries[0]))
    policy = Policy.untrained(1, network_type="qnetwork")

    def act_in_a_new_thread() -> int:
        openmp.omp_set_num_threads(3)  # as many as a machine with three cores begins with
        policy.act(OBSERVATIONS)
        return int(openmp.omp_get_max_threads())

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(act_in_a_new_thread).result() == torch.get_num_threads() == 1


def test_devices() -> None:
    assert choose_device("cpu") == torch.device("cpu")
    available = torch.cuda.is_available()
    assert choose_device("auto").type == ("cuda" if available else "cpu")
    with pytest.raises(DeviceError, match="There is no device 'tpu'; choose one of auto, cpu, cuda"):
        choose_device("tpu")
    if available:
        assert choose_device("cuda").type == "cuda"
    else:
        with pytest.raises(DeviceError, match="torch sees no CUDA GPU here; choose auto or cpu"):
            choose_device("cuda")
