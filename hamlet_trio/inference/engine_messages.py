"""What a session asks of the policy engine, and what it gets."""

import enum
from typing import TYPE_CHECKING, Final

import trio
from msgspec import Struct

if TYPE_CHECKING:
    from hamlet_trio.agent.policy import Policy
    from hamlet_trio.world import WorldState


class EngineError(Exception):
    """A request could not be answered; its cause tells why. The world it was for is in no known state."""


class WorldSnapshot(Struct, frozen=True, gc=False):
    """A world after a request.

    Attributes:
        x, y: the agent's cell.
        meters: normalised, in the order of METERS.
        money, mood: in their own units.
        action: what was done in the step; 0 where none was made.
        reward, components: of the step; the components (meters, interaction, proximity, hunger, ending) add
            up to the reward. None where no step was made.
        terminated, truncated, failure_reason: how the step ended the episode, where it did.
        q_values, attention: five values and six rows of six, of the observation the action was chosen from
            (without a step: of the present one), if the request asked for them and the policy has them.
    """

    x: int
    y: int
    meters: list[float]
    money: float
    mood: float
    action: int = 0
    reward: float = 0.0
    components: list[float] | None = None
    terminated: bool = False
    truncated: bool = False
    failure_reason: str | None = None
    q_values: list[float] | None = None
    attention: list[list[float]] | None = None


class PolicyView(Struct, frozen=True):
    """What of a policy's reasoning a request wants to see."""

    q_values: bool = False
    attention: bool = False


NO_POLICY_VIEW: Final = PolicyView()


class RequestKind(enum.Enum):
    """What a request does to its world: begin an episode, put it in a state, make one step, nothing."""

    RESET = enum.auto()
    RESTORE = enum.auto()
    STEP = enum.auto()
    LOOK = enum.auto()


class EngineRequest:
    """One request under way.

    `action` is a person's, or None for the policy's; `state` is the one to restore. `thinks` tells whether it
    needs a forward pass. `task` waits for the answer, and is None once it waits no longer: answered, or
    cancelled. The rest is filled in when the request is carried out.
    """

    __slots__ = (
        "action",
        "answer",
        "asked_at",
        "attention",
        "index",
        "kind",
        "policy",
        "q_values",
        "shown_attention",
        "shown_q_values",
        "state",
        "task",
        "thinks",
    )

    def __init__(
        self,
        kind: RequestKind,
        index: int,
        policy: "Policy",
        thoughts: PolicyView = NO_POLICY_VIEW,
        *,
        action: int | None = None,
        state: "WorldState | None" = None,
        asked_at: float = 0.0,
    ) -> None:
        self.kind = kind
        self.index = index
        self.policy = policy
        self.action = action
        self.state = state
        self.q_values = thoughts.q_values
        self.attention = thoughts.attention
        self.thinks = (kind is RequestKind.STEP and action is None) or thoughts.q_values or thoughts.attention
        self.asked_at = asked_at
        self.task: trio.lowlevel.Task | None = None
        self.answer: WorldSnapshot | EngineError | None = None
        self.shown_q_values: list[float] | None = None
        self.shown_attention: list[list[float]] | None = None
