"""The agents of a world: their ids and colours, and how an episode went for each."""

from collections.abc import Iterable
from typing import Annotated, Final, Literal, get_args

from msgspec import Meta, Struct

AgentId = Literal["agent_0", "agent_1", "agent_2", "agent_3", "agent_4", "agent_5", "agent_6", "agent_7"]

AGENT_IDS: Final[tuple[AgentId, ...]] = get_args(AgentId)
AGENT_COLORS: Final = (
    "#2f6fed",
    "#b8500f",
    "#2b7a3a",
    "#9333b0",
    "#c01f57",
    "#0b7285",
    "#7a5a00",
    "#4a5568",
)
"""The colours in which the agents are drawn; white text is legible on each of them."""

LETTERS: Final = "ABCDEFGH"
"""The letters by which people tell the agents apart."""

MAX_AGENTS: Final = len(AGENT_IDS)
"""The number of agents in a session or a run, at most."""


class AgentResult(Struct, frozen=True):
    """How an episode went for one of several agents."""

    steps: Annotated[int, Meta(ge=0, description="steps until the agent failed, or the episode ended")]
    total_reward: Annotated[float, Meta(description="return of the agent")]
    failure_reason: Annotated[
        Annotated[str, Meta(max_length=255)] | None,
        Meta(description="failure that ended the agent, or null"),
    ]


AgentResults = Annotated[
    dict[str, AgentResult],
    Meta(max_length=MAX_AGENTS, description="how it went for each agent, by its id, if there are several"),
]


def first_failure(results: Iterable[AgentResult]) -> str | None:
    """Return why the first agent failed that did; of those that failed at once, the first in order."""
    failed = [result for result in results if result.failure_reason is not None]
    return min(failed, key=lambda result: result.steps).failure_reason if failed else None
