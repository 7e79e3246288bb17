"""The settings of a learner."""

from typing import Any, Literal, get_args

import msgspec
from msgspec import Struct

from hamlet_trio.agent.names import NETWORK_TYPES, NetworkType
from hamlet_trio.common.devices import DeviceName

ExplorationKind = Literal["epsilon_greedy", "options"]
TargetUpdate = Literal["soft", "periodic"]


class LearnerConfigError(ValueError):
    """A setting of the learner that is out of range: `field` names it, the message says what is allowed."""

    def __init__(self, field: str, value: object, allowed: str) -> None:
        super().__init__(f"{field} is {value!r}; it must be {allowed}.")
        self.field = field


class LearnerConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of a `DQNLearner`; msgspec converts them to and from plain values.

    Attributes:
        network_type: the type of the Q-network.
        sizes: the sizes that differ from the defaults in `networks.spec`.
        device: `auto` is CUDA where available, else the CPU.
        learning_rate: of Adam (Kingma and Ba 2015).
        gamma: discount per step.
        batch_size: transitions per update.
        buffer_capacity: transitions that the replay buffer holds.
        learning_starts: transitions stored before the first update; at least `batch_size` in any case.
        updates_per_step: updates per call of `learn`; 0.25 means one in every fourth call.
        updates_at_once: updates are put off until so many are due; in one call they share the computation
            of their targets.
        n_step: steps of reward before the bootstrapped value (Sutton and Barto 2018, section 7.1).
        double: Double DQN's target (van Hasselt et al. 2016) instead of DQN's (Mnih et al. 2015).
        huber_delta: TD errors beyond this count linearly.
        gradient_clip: largest norm of the whole gradient; None does not clip.
        target_update: `soft` moves the target network by `tau` of the difference after each update
            (Lillicrap et al. 2016), `periodic` copies the network every `target_period` updates.
        learning_rate_end: the share of `learning_rate` left at the end of a run; it falls linearly.
        reward_scale: factor of the rewards that are learnt from.
        munchausen: the share of the scaled log-policy that is added to the reward, alpha in Vieillard,
            Pietquin and Geist 2020, equation 1; the value of the next state is then the soft one, in place
            of `double`'s. 0 turns it off.
        munchausen_temperature, munchausen_floor: tau and l0 of the same paper, section 3.
        exploration: single random actions (`epsilon_greedy`) or whole `options` (a walk to a place and
            its use). Runs that an older version saved say `errands`, which means `options`.
    """

    network_type: NetworkType = "dueling"
    sizes: dict[str, Any] = {}
    device: DeviceName = "auto"
    learning_rate: float = 1e-3
    gamma: float = 0.99
    batch_size: int = 32
    buffer_capacity: int = 10_000
    learning_starts: int = 500
    updates_per_step: float = 1.0
    updates_at_once: int = 1
    n_step: int = 1
    double: bool = True
    huber_delta: float = 1.0
    gradient_clip: float | None = 10.0
    target_update: TargetUpdate = "soft"
    tau: float = 0.005
    target_period: int = 500
    learning_rate_end: float = 1.0
    reward_scale: float = 1.0
    munchausen: float = 0.0
    munchausen_temperature: float = 0.03
    munchausen_floor: float = -1.0
    exploration: ExplorationKind = "epsilon_greedy"

    def __post_init__(self) -> None:
        if self.network_type not in NETWORK_TYPES:
            raise LearnerConfigError("network_type", self.network_type, f"one of {', '.join(NETWORK_TYPES)}")
        if self.device not in get_args(DeviceName):
            raise LearnerConfigError("device", self.device, "auto, cpu or cuda")
        if self.target_update not in {"soft", "periodic"}:
            raise LearnerConfigError("target_update", self.target_update, "soft or periodic")
        self._check("learning_rate", 0, 1, above=True)
        self._check("gamma", 0, 1)
        self._check("batch_size", 1, 65_536)
        self._check("buffer_capacity", 1, 10_000_000)
        self._check("learning_starts", 0, self.buffer_capacity)
        self._check("updates_per_step", 0, 1000, above=True)
        self._check("updates_at_once", 1, 1000)
        self._check("n_step", 1, 1000)
        self._check("huber_delta", 0, 1e6, above=True)
        if self.gradient_clip is not None:
            self._check("gradient_clip", 0, 1e6, above=True)
        self._check("tau", 0, 1, above=True)
        self._check("target_period", 1, 1_000_000_000)
        self._check("learning_rate_end", 0, 1)
        self._check("reward_scale", 0, 1e6, above=True)
        self._check("munchausen", 0, 1)
        self._check("munchausen_temperature", 0, 1e6, above=True)
        self._check("munchausen_floor", -1e6, 0)
        if self.exploration not in {"epsilon_greedy", "options"}:
            raise LearnerConfigError("exploration", self.exploration, "epsilon_greedy or options")
        if self.batch_size > self.buffer_capacity:
            raise LearnerConfigError(
                "batch_size", self.batch_size, f"at most buffer_capacity, which is {self.buffer_capacity}"
            )

    def _check(self, field: str, low: float, high: float, *, above: bool = False) -> None:
        value = getattr(self, field)
        # Written so that NaN fails too.
        if not (low < value <= high if above else low <= value <= high):
            raise LearnerConfigError(
                field,
                value,
                f"{'above' if above else 'from'} {low} {'and at most' if above else 'to'} {high}",
            )

    def for_network(self, network_type: NetworkType, sizes: dict[str, Any]) -> "LearnerConfig":
        """Return these settings for another network: the `network_type` and `plain_sizes()` of a spec."""
        return msgspec.structs.replace(self, network_type=network_type, sizes=sizes)


def current_settings(saved: dict[str, Any]) -> dict[str, Any]:
    """Return saved settings with today's names in place of older ones, and what older versions lacked."""
    saved = {"updates_at_once": 1} | saved
    return saved | {"exploration": "options"} if saved.get("exploration") == "errands" else saved
