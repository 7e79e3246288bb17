"""The configurations by name: what each is, and how it is trained."""

from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from hamlet_trio.agent.learner_config import LearnerConfig
from hamlet_trio.agent.schedule import EpsilonSchedule
from hamlet_trio.training.recipe import DEFAULT_RECIPE, Recipe

MessageKind = Literal["behaviour", "ours", "sb3"]


class Configuration(Struct, frozen=True, kw_only=True):
    """A way to behave or to learn; `recipe` and `settings`, training parameters, are of our learner.

    `longer` is how many times the default learner's steps a stable-baselines3 learner makes.
    """

    what: str
    kind: MessageKind = "ours"
    recipe: Recipe = DEFAULT_RECIPE
    settings: dict[str, Any] = {}
    longer: int = 1


_STEPS: Final[dict[str, Any]] = {"network_type": "egocentric", "random_start": 0.0}


def _without(what: str, **learner: Any) -> Configuration:
    changed = msgspec.structs.replace(DEFAULT_RECIPE.learner, **learner)
    recipe = msgspec.structs.replace(DEFAULT_RECIPE, learner=changed)
    return Configuration(what=what, recipe=recipe, settings=_STEPS)


OLDER: Final = Recipe(
    learner=LearnerConfig(
        double=False, target_update="periodic", target_period=750, learning_starts=0, gradient_clip=None
    ),
    schedule=EpsilonSchedule(kind="multiplicative"),
)
"""The older system's learner; its target was copied every 10 episodes, which lasted about 75 updates each."""

CONFIGURATIONS: Final[dict[str, Configuration]] = {
    "search": Configuration(what="search over options, rules known", kind="behaviour"),
    "rule": Configuration(what="the rule, rules known", kind="behaviour"),
    "random": Configuration(what="random play", kind="behaviour"),
    "option-exploration": Configuration(what="random options, learning nothing", kind="behaviour"),
    "older": Configuration(
        what="plain DQN, older settings",
        recipe=OLDER,
        settings={"network_type": "qnetwork", "gamma": 0.99, "random_start": 0.0},
    ),
    "sb3-dqn": Configuration(what="stable-baselines3 DQN, same steps", kind="sb3"),
    "sb3-ppo": Configuration(what="stable-baselines3 PPO, same steps", kind="sb3"),
    "sb3-dqn-long": Configuration(what="stable-baselines3 DQN, ten times the steps", kind="sb3", longer=10),
    "sb3-ppo-long": Configuration(what="stable-baselines3 PPO, ten times the steps", kind="sb3", longer=10),
    "bare": Configuration(
        what="single steps, bare numbers", settings={"network_type": "qnetwork", "random_start": 0.0}
    ),
    "egocentric": Configuration(what="single steps, map", settings=_STEPS),
    "egocentric-anywhere": Configuration(
        what="single steps, map, random starts", settings=_STEPS | {"random_start": 0.75}
    ),
    "options-usual": Configuration(what="options, usual start only", settings={"random_start": 0.0}),
    "options-episodes": Configuration(
        what="options, without exploring starts",
        recipe=msgspec.structs.replace(DEFAULT_RECIPE, exploring_starts=0),
    ),
    "default": Configuration(what="options, the default learner"),
    "eight-worlds": Configuration(what="living in eight worlds at once", settings=_STEPS | {"num_envs": 8}),
    "no-map": Configuration(
        what="without reading the map: a plain perceptron", settings=_STEPS | {"network_type": "qnetwork"}
    ),
    "no-options": _without("without options: exploring by single actions", exploration="epsilon_greedy"),
    "one-step": _without("without n-step returns", n_step=1),
    "no-munchausen": _without("without Munchausen: Double DQN's targets", munchausen=0.0),
    "single-dqn": _without("without Munchausen and without Double", munchausen=0.0, double=False),
    "per-step": Configuration(
        what="without fixed updates: one a step",
        recipe=msgspec.structs.replace(DEFAULT_RECIPE, updates_per_episode=None),
        settings=_STEPS,
    ),
    "no-anneal": _without("without a falling learning rate", learning_rate_end=1.0),
    "no-scale": _without("without scaling rewards by 0.1", reward_scale=1.0),
}
"""Every configuration; from eight worlds on it is `egocentric` with one part changed."""

WHOLE: Final = "egocentric"
"""The learner that the ablations take parts from."""

PARTS: Final = tuple(CONFIGURATIONS)[tuple(CONFIGURATIONS).index("default") + 1 :]
"""The names of the ablations of `egocentric`."""
