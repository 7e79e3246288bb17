"""Who takes part: what each is given, how it is made, and how many seeds tell it apart from chance."""

from collections.abc import Callable
from importlib import import_module
from typing import Any, Final, Literal

from msgspec import Struct

Kind = Literal["random", "rule", "planner", "sb3", "skrl", "own"]


class Contender(Struct, frozen=True, kw_only=True):
    """One row for each environment.

    Attributes:
        what: its name in words, and the library where it is not this project's.
        given: what it decides from.
        algorithm: `dqn` or `ppo`, of the other libraries.
        settings: of the learner, as its library names them; skrl takes those of stable-baselines3.
        packages: whose versions decide its results, beside ours.
        seeded: whether seeds make a difference; without it is measured once.
        both: whether one training is scored in both environments.
    """

    what: str
    given: str
    kind: Kind
    algorithm: str = ""
    settings: dict[str, Any] = {}
    packages: tuple[str, ...] = ()
    seeded: bool = True
    both: bool = False


_NUMBERS: Final = "the 72 numbers"
_RULES: Final = "the rules of the world"

_DQN: Final[dict[str, Any]] = {
    "learning_rate": 0.0005,
    "gamma": 0.995,
    "buffer_size": 100_000,
    "learning_starts": 1000,
    "batch_size": 64,
    "train_freq": 1,
    "gradient_steps": 2,
    "target_update_interval": 1000,
    "exploration_fraction": 0.5,
    "reward_scale": 0.1,
}
_PPO: Final[dict[str, Any]] = {
    "learning_rate": 0.001,
    "gamma": 0.99,
    "n_steps": 128,
    "batch_size": 256,
    "n_epochs": 6,
    "ent_coef": 0.01,
    "reward_scale": 0.1,
}


def _learner(library: str, kind: Kind, algorithm: str, settings: dict[str, Any]) -> Contender:
    return Contender(
        what=f"{library} {algorithm.upper()}",
        given=_NUMBERS,
        kind=kind,
        algorithm=algorithm,
        settings=settings,
        packages=(library, "gymnasium"),
    )


CONTENDERS: Final[dict[str, Contender]] = {
    "planner": Contender(
        what="planner: beam search over options", given=_RULES, kind="planner", seeded=False
    ),
    "rule": Contender(what="rule: the lowest meter first", given=_RULES, kind="rule", seeded=False),
    "random": Contender(what="random actions", given="nothing", kind="random"),
    "options": Contender(
        what="Hamlet, options (the default)",
        given="where each place lies, and how to walk there",
        kind="own",
        settings={"num_episodes": 100},
        both=True,
    ),
    "sb3-dqn": _learner("stable-baselines3", "sb3", "dqn", _DQN),
    "sb3-ppo": _learner("stable-baselines3", "sb3", "ppo", _PPO),
    "skrl-dqn": _learner("skrl", "skrl", "dqn", _DQN),
    "skrl-ppo": _learner("skrl", "skrl", "ppo", _PPO),
}
"""Every contender by its name on the command line."""


def module_of(kind: Kind) -> Callable[..., Any]:
    """Return the function that trains contenders of a kind; its library is imported with it."""
    name = {"sb3": "sb3", "skrl": "skrl_learners", "own": "own"}[kind]
    train: Callable[..., Any] = import_module(f"bench.leaderboard.{name}").train
    return train
