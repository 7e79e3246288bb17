"""Adam without the imports of torch's optimizer classes."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


class Adam:
    """Adam (Kingma and Ba 2015, algorithm 1) by torch's fused kernel, equal to `torch.optim.Adam` to the bit.

    A `torch.optim.Optimizer` imports torch's compiler, which a trainer never uses: 70 MB and over a second
    at its start. State dicts are interchangeable with those of `torch.optim.Adam`.
    """

    _BETAS = (0.9, 0.999)
    _EPSILON = 1e-8

    def __init__(self, parameters: Sequence[Tensor], learning_rate: float) -> None:
        # Detached, they share the values, and changing them needs no context.
        self._parameters = [parameter.detach() for parameter in parameters]
        self.learning_rate = learning_rate
        self._averages = [torch.zeros_like(parameter) for parameter in self._parameters]
        self._squares = [torch.zeros_like(parameter) for parameter in self._parameters]
        # Shared: counting the steps of each parameter apart would take longer than updating it.
        self._step = torch.zeros((), device=self._parameters[0].device)
        self._steps = [self._step] * len(self._parameters)
        self._one = torch.ones_like(self._step)

    def step(self, gradients: list[Tensor]) -> None:
        """Update each parameter by its gradient."""
        self._step.add_(self._one)
        # The average of a gradient that stays 0 for a thousand updates ends as a denormal number, with which
        # the processor is up to thirty times slower. Zero instead changes no weight: divided by _EPSILON it
        # is still far below a weight's precision.
        torch.set_flush_denormal(True)
        try:
            torch._fused_adam_(
                self._parameters,
                gradients,
                self._averages,
                self._squares,
                [],
                self._steps,
                amsgrad=False,
                beta1=self._BETAS[0],
                beta2=self._BETAS[1],
                lr=self.learning_rate,
                weight_decay=0.0,
                eps=self._EPSILON,
                maximize=False,
            )
        finally:
            torch.set_flush_denormal(False)

    def state_dict(self) -> dict[str, Any]:
        """Return the state in the form of `torch.optim.Adam`; the averages are not copied."""
        state = {
            index: {"step": self._step.clone(), "exp_avg": average, "exp_avg_sq": square}
            for index, (average, square) in enumerate(zip(self._averages, self._squares, strict=True))
        }
        group = {
            "lr": self.learning_rate,
            "betas": self._BETAS,
            "eps": self._EPSILON,
            "weight_decay": 0,
            "amsgrad": False,
            "maximize": False,
            "foreach": None,
            "capturable": False,
            "differentiable": False,
            "fused": True,
            "decoupled_weight_decay": False,
            "params": list(range(len(self._parameters))),
        }
        return {"state": state, "param_groups": [group]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Copy the averages of a `state_dict`; the learning rate stays as it is."""
        theirs = state["state"]
        self._step.copy_(theirs[0]["step"])
        for index, (average, square) in enumerate(zip(self._averages, self._squares, strict=True)):
            average.copy_(theirs[index]["exp_avg"])
            square.copy_(theirs[index]["exp_avg_sq"])
