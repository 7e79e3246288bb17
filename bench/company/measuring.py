"""One run of the comparison: train, then live alone and among three."""

from time import process_time
from typing import Final, Literal

import msgspec
import numpy as np
from msgspec import Struct

from hamlet_trio import __version__
from hamlet_trio.agent.evaluation import EpisodeResult, evaluate
from hamlet_trio.agent.names import NetworkType
from hamlet_trio.agent.policy import Policy
from hamlet_trio.protocol.parameters import TrainingParameters
from hamlet_trio.training.run import TrainingRun
from hamlet_trio.world import WorldConfig

AGENTS: Final = 3
RANDOM_STARTS: Final = 100
STARTS_SEED: Final = 2026
"""The random starts are the same for every run."""

Training = Literal["alone", "together"]


class CompanyResult(Struct, frozen=True, kw_only=True):
    """One trained policy.

    Attributes:
        trained: with one agent, or with three that share the learner.
        alone: steps survived alone from the usual start.
        three: steps survived by each of three copies in one world with contention, from the usual start.
        three_anywhere: mean steps survived by three copies from random starts.
        anywhere: mean steps survived alone from random starts.
    """

    trained: Training
    network_type: NetworkType
    episodes: int
    seed: int
    steps: int
    updates: int
    alone: int
    three: list[int]
    anywhere: float
    three_anywhere: float
    cpu_seconds: float
    version: str = __version__

    @property
    def key(self) -> str:
        """What tells it apart from others."""
        return f"{self.network_type}-{self.episodes}-{self.trained}-{self.seed}"


def measure(trained: Training, network_type: NetworkType, episodes: int, seed: int) -> CompanyResult:
    """Train once and let the policy live; single steps from the usual start, options from anywhere too."""
    company = {"num_agents": AGENTS, "contention": True} if trained == "together" else {}
    parameters = msgspec.convert(
        {
            "num_episodes": episodes,
            "seed": seed,
            "network_type": network_type,
            "random_start": 0.75 if network_type == "options" else 0.0,
        }
        | company,
        TrainingParameters,
    )
    began = process_time()
    run = TrainingRun(parameters, device="cpu")
    while not run.finished:
        run.step()
    seconds = process_time() - began
    policy, three = run.policy(), WorldConfig(num_agents=AGENTS, contention=True)
    return CompanyResult(
        trained=trained,
        network_type=network_type,
        episodes=episodes,
        seed=seed,
        steps=run.steps,
        updates=run.updates,
        alone=_live(policy, WorldConfig(), random=False)[0].length,
        three=[row.length for row in _live(policy, three, random=False)],
        anywhere=_mean(_live(policy, WorldConfig(), random=True)),
        three_anywhere=_mean(_live(policy, three, random=True)),
        cpu_seconds=round(seconds, 1),
    )


def _live(policy: Policy, world: WorldConfig, *, random: bool) -> list[EpisodeResult]:
    count = RANDOM_STARTS if random else 1
    return evaluate(policy, world, episodes=count, seed=STARTS_SEED, random_start=random).episodes


def _mean(rows: list[EpisodeResult]) -> float:
    return round(float(np.mean([row.length for row in rows])), 1)
