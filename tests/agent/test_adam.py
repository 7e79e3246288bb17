"""Adam, against torch's own class."""

import copy
import subprocess
import sys

import pytest
import torch

from hamlet_trio.agent.adam import Adam


def make_parameters() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(shape, generator=generator).requires_grad_() for shape in [(4, 3), (3,), ()]]


def make_gradients(seed: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(parameter.shape, generator=generator) for parameter in make_parameters()]


def test_it_is_torchs_to_the_last_bit_also_from_each_others_state() -> None:
    mine, theirs = make_parameters(), make_parameters()
    ours, torchs = Adam(mine, 0.01), torch.optim.Adam(theirs, lr=0.01, fused=True)
    for seed in range(40):
        if seed == 15:
            torchs.load_state_dict(copy.deepcopy(ours.state_dict()))
        if seed == 30:
            ours = Adam(mine, 0.01)
            ours.load_state_dict(torchs.state_dict())
        gradients = make_gradients(seed)
        for parameter, gradient in zip(theirs, gradients, strict=True):
            parameter.grad = gradient
        ours.step(gradients)
        torchs.step()
        assert all(torch.equal(one, other) for one, other in zip(mine, theirs, strict=True)), seed
    assert ours.state_dict()["param_groups"] == torchs.state_dict()["param_groups"]


def test_gradients_that_stay_zero_end_as_zero_and_not_as_denormals() -> None:
    """Denormals take the processor many times longer; the weights are torch's all the same."""
    if not torch.set_flush_denormal(True):
        pytest.skip("this processor cannot flush denormals")
    torch.set_flush_denormal(False)
    mine, theirs = make_parameters(), make_parameters()
    ours, torchs = Adam(mine, 0.01), torch.optim.Adam(theirs, lr=0.01, fused=True)
    for step in range(1000):
        gradients = make_gradients(1) if step == 0 else [torch.zeros_like(each) for each in mine]
        for parameter, gradient in zip(theirs, gradients, strict=True):
            parameter.grad = gradient
        ours.step(gradients)
        torchs.step()
    assert all(torch.equal(one, other) for one, other in zip(mine, theirs, strict=True))
    averages = [state["exp_avg"] for state in ours.state_dict()["state"].values()]
    assert not any(average.any() for average in averages)
    assert any(state["exp_avg"].any() for state in torchs.state_dict()["state"].values())
    assert torch.tensor(1e-40) * 1 != 0, "and only within a step"


def test_learning_does_not_import_torchs_compiler() -> None:
    """What this class is for. Should torch import it by itself one day, the class can go."""
    script = (
        "import sys, numpy as np\n"
        "from hamlet_trio.agent.learner import DQNLearner\n"
        "from hamlet_trio.agent.learner_config import LearnerConfig\n"
        "learner = DQNLearner(LearnerConfig(batch_size=1, learning_starts=0, device='cpu'), seed=1)\n"
        "rows = np.zeros((1, 72), dtype=np.float32)\n"
        "one, no = np.ones(1, dtype=np.int64), np.zeros(1, dtype=bool)\n"
        "learner.remember(observations=rows, actions=one, rewards=one * 1.0, next_observations=rows,\n"
        "                 terminated=no, truncated=no)\n"
        "assert learner.learn().updates == 1\n"
        "learner.state_dict()\n"
        "print('torch._dynamo' in sys.modules, 'sympy' in sys.modules)\n"
    )
    shown = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout
    assert shown == "False False\n"
