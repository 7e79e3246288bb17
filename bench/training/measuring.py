"""Measure all learners round by round, on one core and one thread."""

from functools import partial
from typing import Final, Protocol

import torch

from bench.suite.command import Effort, run
from bench.suite.figures import Figure, alternate, ratio
from bench.suite.machine import divide_cores, pin
from bench.training.baselines import StableBaselines, StableBaselinesActing
from bench.training.ours import AT_ONCE, Acting, Training
from bench.training.textbook import Textbook
from hamlet_trio.agent.names import NETWORK_TYPES, NetworkType

__all__ = ["measure", "run"]

_UNIT: Final = "steps/s"
_GROUPED: Final[tuple[NetworkType, ...]] = ("dueling", "spatial", "relational")
_PEERS: Final = (
    "stable-baselines3",
    "stable-baselines3, eight at once",
    "textbook loop",
    "stable-baselines3, acting",
)


class Contender(Protocol):
    """Represent what is measured; it continues from one measurement to the next."""

    def rate(self, seconds: float) -> float:
        """Return environment steps a second."""
        ...


def measure(effort: Effort) -> list[Figure]:
    """Measure learning and acting; a contender is named by its network type or its library."""
    torch.set_num_threads(1)
    pin(0, [divide_cores().others[0]])
    seconds = effort.choose(0.5, 2.0)
    grouped = [f"{name}, eight at once" for name in _GROUPED]
    effort.check([*NETWORK_TYPES, *grouped, *_PEERS, *(f"{name}, acting" for name in NETWORK_TYPES)])
    contenders = {name: made for name, made in _contenders(effort).items() if effort.wants(name)}
    values = alternate(
        {name: partial(made.rate, seconds) for name, made in contenders.items()}, effort.rounds
    )
    figures = [
        Figure(name=name, unit=_UNIT, values=found, beside=name in _PEERS) for name, found in values.items()
    ]
    named = {figure.name: figure for figure in figures}
    for one, other in (
        ("qnetwork", "stable-baselines3"),
        ("qnetwork", "textbook loop"),
        ("qnetwork, acting", "stable-baselines3, acting"),
        *((name, "stable-baselines3, eight at once") for name in grouped),
    ):
        if one in named and other in named:
            figures.append(ratio(f"{one} / {other}", named[one], named[other]))
    return figures


def _contenders(effort: Effort) -> dict[str, Contender]:
    made: dict[str, Contender] = {name: Training(name) for name in NETWORK_TYPES if effort.wants(name)}
    for name in _GROUPED:
        if effort.wants(named := f"{name}, eight at once"):
            made[named] = Training(name, at_once=AT_ONCE)
    made |= {"stable-baselines3": StableBaselines(), "textbook loop": Textbook()}
    made["stable-baselines3, eight at once"] = StableBaselines(at_once=AT_ONCE)
    made |= {f"{name}, acting": Acting(name) for name in NETWORK_TYPES}
    made["stable-baselines3, acting"] = StableBaselinesActing()
    return made
