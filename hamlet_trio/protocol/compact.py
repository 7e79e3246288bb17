"""Encode frames compactly: most of them as a change of the last full one.

A full frame is sent anew where a compact one cannot express the change: after a seek, and when another
episode or world is shown. And when the changes have grown: once they have cost as many bytes as a full frame
would, beyond the least since the last one, another full frame is due.
"""

import struct
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final, Generic, TypeVar, get_args

import msgspec
from msgspec import UNSET, Struct, UnsetType

from hamlet_trio.common.agents import AGENT_IDS
from hamlet_trio.protocol.deltas import StateDelta, TrainingStateDelta
from hamlet_trio.protocol.messages import (
    ActionName,
    AgentMarker,
    AgentState,
    OptionValue,
    RewardBreakdown,
    StateUpdate,
    TrainingStateUpdate,
    encode,
)

DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_"

_ACTION_NUMBERS: Final[dict[ActionName | str, int | None]] = {
    "": None,
    **{name: number for number, name in enumerate(get_args(ActionName))},
}
_AGENT_NUMBERS: Final = {agent_id: number for number, agent_id in enumerate(AGENT_IDS)}
_decoder: Final = msgspec.json.Decoder(TrainingStateUpdate)

Frame = TypeVar("Frame", StateUpdate, TrainingStateUpdate)


class _Bases(Generic[Frame]):
    """The full frame that compact ones change, and whether the next one is due for its size."""

    def __init__(self) -> None:
        self.number = 0
        self.frame: Frame | None = None
        self._size = self._least = self._extra = 0

    @property
    def is_due(self) -> bool:
        return self._extra >= self._size

    def begin(self, frame: Frame) -> int:
        """Take the next base; return its number."""
        self.number += 1
        self.frame = frame
        return self.number

    def note_full(self, text: str) -> str:
        self._size, self._least, self._extra = len(text), len(text), 0
        return text

    def note_delta(self, text: str) -> str:
        self._least = min(self._least, len(text))
        self._extra += len(text) - self._least
        return text


class SessionCompactor:
    """Encode the frames of one session, which are sent in order."""

    def __init__(self) -> None:
        self._bases = _Bases[StateUpdate]()
        self._step = 0
        self._visits: dict[str, int] = {}
        self._visited = ""
        self._digits: list[str] = []

    def begin_anew(self) -> None:
        """Send the next frame in full."""
        self._bases.frame = None

    def encode(self, frame: StateUpdate, visits: Mapping[str, int]) -> str:
        """Return the text of a frame, whose heat map is that of these visits by cell "x,y"."""
        base = self._bases.frame
        follows = base is not None and frame.step == self._step + 1 and not self._bases.is_due
        self._step = frame.step
        if base is not None and follows and _have_one_form(base, frame):
            self._visit(frame)
            if self._visits == visits:
                return self._bases.note_delta(encode(self._delta(frame)))
        self._visits, self._visited = dict(visits), ""
        width, height = frame.grid.width, frame.grid.height
        self._digits = _digits_of(width * height)
        full = msgspec.structs.replace(
            frame,
            base=self._bases.begin(frame),
            visits=[visits.get(f"{x},{y}", 0) for y in range(height) for x in range(width)],
        )
        return self._bases.note_full(encode(full))

    def _visit(self, frame: StateUpdate) -> None:
        width = frame.grid.width
        for agent in frame.grid.agents:
            if agent.last_action:
                cell = f"{agent.x},{agent.y}"
                self._visits[cell] = self._visits.get(cell, 0) + 1
                self._visited += self._digits[agent.y * width + agent.x]

    def _delta(self, frame: StateUpdate) -> StateDelta:
        agents, states = frame.grid.agents, frame.agents
        several = len(agents) > 1
        return StateDelta(
            base=self._bases.number,
            step=frame.step,
            action=frame.action,
            cells=_cells(agents),
            numbers=_numbers((frame.reward, frame.cumulative_reward), states, several=several),
            done=frame.done or UNSET,
            failure_reason=frame.info.failure_reason or UNSET,
            last_actions=_last_actions(agents) if several else UNSET,
            failure_reasons=_failure_reasons(states) if several else UNSET,
            waiting_for=_waiting_for(states) if several else UNSET,
            visited=self._visited,
            truncated=frame.truncated or UNSET,
            reward_breakdown=_terms(frame.reward_breakdown, frame.reward),
            reward_breakdowns=_all_terms(agents, states) if several else UNSET,
            q_values=UNSET if frame.q_values is UNSET else _doubles(frame.q_values),
            attention=_flat(frame.attention),
            option_values=(
                UNSET
                if frame.option_values is UNSET
                else _doubles([option.value for option in frame.option_values])
            ),
        )


class BroadcastBase(Struct, frozen=True):
    """A full frame as viewers get it that asked for compact ones."""

    text: str


class BroadcastFrame(str):
    """A frame's full text, and its compact form, which is None for the base itself."""

    __slots__ = ("base", "compact")

    base: BroadcastBase
    compact: str | None

    @classmethod
    def of(cls, text: str, base: BroadcastBase, compact: str | None = None) -> "BroadcastFrame":
        """Return the frame of this full text."""
        frame = cls(text)
        frame.base, frame.compact = base, compact
        return frame


class BroadcastCompactor:
    """Encode the frames of a run once for all viewers that asked for compact ones."""

    def __init__(self) -> None:
        self._bases = _Bases[TrainingStateUpdate]()
        self._base = BroadcastBase("")

    def encode(self, text: str) -> BroadcastFrame:
        """Return a frame in both forms from its full text."""
        frame, base = _decoder.decode(text), self._bases.frame
        if base is not None and not self._bases.is_due and _shows_more(base, frame):
            compact = self._bases.note_delta(encode(self._delta(base, frame)))
            return BroadcastFrame.of(text, self._base, compact)
        full = msgspec.structs.replace(frame, base=self._bases.begin(frame))
        self._base = BroadcastBase(self._bases.note_full(encode(full)))
        return BroadcastFrame.of(text, self._base)

    def _delta(self, base: TrainingStateUpdate, frame: TrainingStateUpdate) -> TrainingStateDelta:
        agents, states = frame.agents, frame.agent_meters
        several = len(agents) > 1
        before = base.heat_map
        changes = {cell: share for cell, share in frame.heat_map.items() if before.get(cell) != share}
        return TrainingStateDelta(
            base=self._bases.number,
            step=frame.step,
            action=frame.action,
            cells=_cells(agents),
            numbers=_numbers((frame.reward, frame.cumulative_reward, frame.epsilon), states, several=several),
            done=frame.done or UNSET,
            failure_reason=frame.info.failure_reason or UNSET,
            last_actions=_last_actions(agents) if several else UNSET,
            failure_reasons=_failure_reasons(states) if several else UNSET,
            waiting_for=_waiting_for(states) if several else UNSET,
            heat_map=changes or UNSET,
        )


def _have_one_form(base: StateUpdate, frame: StateUpdate) -> bool:
    """Return whether a frame differs from the base in nothing but what a delta can tell."""
    return (
        frame.episode == base.episode
        and frame.grid.affordances is base.grid.affordances  # one world has one list
        and len(frame.agents) == len(base.agents)
        and frame.view_agent == base.view_agent
        and type(frame.q_values) is type(base.q_values)
        and type(frame.attention) is type(base.attention)
        and _places(frame.option_values) == _places(base.option_values)
    )


def _shows_more(base: TrainingStateUpdate, frame: TrainingStateUpdate) -> bool:
    """Return whether a frame is a later one of the base's episode, in its world."""
    return (
        frame.episode == base.episode
        and frame.step > base.step
        and frame.grid == base.grid
        and frame.affordances == base.affordances
        and len(frame.agents) == len(base.agents)
        and base.heat_map.keys() <= frame.heat_map.keys()
    )


def _places(options: list[OptionValue] | UnsetType) -> list[str] | None:
    return None if options is UNSET else [option.place for option in options]


@lru_cache(maxsize=64)
def _digits_of(cells: int) -> list[str]:
    """Return the number of each cell in digits, all equally many."""
    base, count = len(DIGITS), 1
    while base**count < cells:
        count += 1
    places = [base**place for place in reversed(range(count))]
    return ["".join(DIGITS[cell // place % base] for place in places) for cell in range(cells)]


def _doubles(values: Sequence[float]) -> bytes:
    return struct.pack(f"<{len(values)}d", *values)


def _flat(attention: list[list[float]] | UnsetType | None) -> bytes | UnsetType:
    if attention is UNSET or attention is None:
        return UNSET
    return _doubles([weight for row in attention for weight in row])


def _cells(agents: Sequence[AgentMarker]) -> list[int]:
    return [place for agent in agents for place in (agent.x, agent.y)]


def _numbers(first: Sequence[float], states: Mapping[str, AgentState], *, several: bool) -> bytes:
    values = list(first)
    for state in states.values():
        values += msgspec.structs.astuple(state.meters)
        if several:
            total = state.cumulative_reward
            values += (state.reward, 0.0 if total is UNSET else total)
    return _doubles(values)


def _last_actions(agents: Sequence[AgentMarker]) -> list[int | None]:
    return [_ACTION_NUMBERS[agent.last_action] for agent in agents]


def _failure_reasons(states: Mapping[str, AgentState]) -> list[str | None] | UnsetType:
    reasons = [state.failure_reason or None for state in states.values()]
    return reasons if any(reasons) else UNSET


def _waiting_for(states: Mapping[str, AgentState]) -> list[int | None] | UnsetType:
    waiting = [
        None if state.waiting_for is UNSET else _AGENT_NUMBERS[state.waiting_for] for state in states.values()
    ]
    return waiting if any(number is not None for number in waiting) else UNSET


def _terms(breakdown: RewardBreakdown | UnsetType, reward: float) -> list[float] | UnsetType | None:
    if breakdown is UNSET:
        return None
    terms = list(msgspec.structs.astuple(breakdown))
    return UNSET if terms == [reward, 0, 0, 0, 0] else terms


def _all_terms(
    agents: Sequence[AgentMarker], states: Mapping[str, AgentState]
) -> list[list[float] | None] | UnsetType:
    every: list[list[float] | None] = []
    is_plain = True
    for agent, state in zip(agents, states.values(), strict=True):
        terms = _terms(state.reward_breakdown, state.reward)
        is_plain = is_plain and terms == (UNSET if agent.last_action else None)
        every.append([state.reward, 0.0, 0.0, 0.0, 0.0] if terms is UNSET else terms)
    return UNSET if is_plain else every
