"""The configurations by name: what each is, and how it is trained."""

from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from hamlet_trio.agent.learner_config import LearnerConfig
from hamlet_trio.agent.schedule import EpsilonSchedule
from hamlet_trio.training.recipe import DEFAULT_RECIPE, Recipe

MessageKind = Literal["behaviour", "ours", "sb3"]


class Configuration(Struct, frozen=True, kw_only=True):
    """A way to behave or to learn; `recipe` and `settings`, training parameters, are of our learner."""

    what: str
    kind: MessageKind = "ours"
    recipe: Recipe = DEFAULT_RECIPE
    settings: dict[str, Any] = {}


def _without(what: str, **learner: Any) -> Configuration:
    changed = msgspec.structs.replace(DEFAULT_RECIPE.learner, **learner)
    return Configuration(what=what, recipe=msgspec.structs.replace(DEFAULT_RECIPE, learner=changed))


OLDER: Final = Recipe(
    learner=LearnerConfig(
        double=False, target_update="periodic", target_period=750, learning_starts=0, gradient_clip=None
    ),
    schedule=EpsilonSchedule(kind="multiplicative"),
)
"""The older system's learner; its target was copied every 10 episodes, which lasted about 75 updates each."""

CONFIGURATIONS: Final[dict[str, Configuration]] = {
    "random": Configuration(what="random play", kind="behaviour"),
    "errands": Configuration(what="errands, learning nothing", kind="behaviour"),
    "older": Configuration(
        what="plain DQN, older settings", recipe=OLDER, settings={"network_type": "qnetwork", "gamma": 0.99}
    ),
    "sb3-dqn": Configuration(what="stable-baselines3 DQN, same steps", kind="sb3"),
    "sb3-ppo": Configuration(what="stable-baselines3 PPO, same steps", kind="sb3"),
    "default": Configuration(what="the default learner"),
    "eight-worlds": Configuration(what="living in eight worlds at once", settings={"num_envs": 8}),
    "no-map": Configuration(
        what="without reading the map: a plain perceptron", settings={"network_type": "qnetwork"}
    ),
    "no-errands": _without("without errands: single random actions", exploration="epsilon_greedy"),
    "one-step": _without("without n-step returns", n_step=1),
    "no-munchausen": _without("without Munchausen: Double DQN's targets", munchausen=0.0),
    "single-dqn": _without("without Munchausen and without Double", munchausen=0.0, double=False),
    "per-step": Configuration(
        what="without fixed updates: one a step",
        recipe=msgspec.structs.replace(DEFAULT_RECIPE, updates_per_episode=None),
    ),
    "no-anneal": _without("without a falling learning rate", learning_rate_end=1.0),
    "no-scale": _without("without scaling rewards by 0.1", reward_scale=1.0),
}
"""Every configuration; one of ours after eight worlds is the default learner with one part taken away."""

PARTS: Final = tuple(CONFIGURATIONS)[tuple(CONFIGURATIONS).index("default") + 1 :]
"""The names of the ablations."""
