"""Compact frames as messages: what they carry beside the full frame that they name by `base`."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from hamlet_trio.protocol.frame_parts import Action, HeatMap, StepNumber

FrameForm = Annotated[
    Literal["full", "compact"],
    Meta(
        description="form of frames: each one in full, or compact, as changes of the last full one; at "
        "first full"
    ),
]
Base = Annotated[
    int, Meta(description="number by which compact frames name this one, where `set_view` asked for them")
]
Terms = Annotated[
    list[float],
    Meta(description="the terms of a `reward_breakdown`, in their order", min_length=5, max_length=5),
]


class FrameDelta(Struct, frozen=True, kw_only=True):
    """What the compact frames of both endpoints carry. Of A agents, lists are in the agents' order."""

    base: Annotated[int, Meta(description="number of the full frame that this one changes")]
    step: StepNumber
    action: Action
    cells: Annotated[list[int], Meta(description="column and row of each agent, one after another")]
    numbers: Annotated[
        bytes,
        Meta(
            description="`reward` and `cumulative_reward` (on `/ws/training` also `epsilon`), then the six "
            "meters of each agent, and where there are several, each one's reward and return after its "
            "meters; all as little-endian binary64 (IEEE 754), in Base64"
        ),
    ]
    done: Annotated[bool | UnsetType, Meta(description="left out: false")] = UNSET
    failure_reason: Annotated[str | UnsetType, Meta(description="of `info`; left out: null")] = UNSET
    last_actions: Annotated[
        list[int | None] | UnsetType,
        Meta(description="action of each of several agents, or null for none; left out: that of `action`"),
    ] = UNSET
    failure_reasons: Annotated[
        list[str | None] | UnsetType,
        Meta(description="failure of each of several agents; left out: none has failed"),
    ] = UNSET
    waiting_for: Annotated[
        list[int | None] | UnsetType,
        Meta(description="number of the agent that each of several waits for; left out: none waits"),
    ] = UNSET


class StateDelta(FrameDelta, frozen=True, kw_only=True, tag_field="type", tag="delta"):
    """A compact frame: the `state_update` whose `base` it names, with these changes.

    What is not here is as it is there. Without that frame it cannot be read; then ignore it.
    """

    visited: Annotated[
        str,
        Meta(
            description="cells visited since the base, in order: each is its number, row by row from the top "
            "left, in digits of `0-9a-zA-Z-_`, as many as the last cell of the grid needs. They count onto "
            "the base's `visits`, of which the heat map is made"
        ),
    ]
    truncated: Annotated[bool | UnsetType, Meta(description="left out: false")] = UNSET
    reward_breakdown: Annotated[
        Terms | UnsetType | None,
        Meta(description="left out: `[reward, 0, 0, 0, 0]`; null: the frame has none"),
    ] = UNSET
    reward_breakdowns: Annotated[
        list[Terms | None] | UnsetType,
        Meta(
            description="of each of several agents, null for one that made no step; left out: "
            "`[reward, 0, 0, 0, 0]` of those that made one"
        ),
    ] = UNSET
    q_values: Annotated[
        bytes | UnsetType, Meta(description="Q-values of the five actions, written as `numbers`")
    ] = UNSET
    attention: Annotated[
        bytes | UnsetType, Meta(description="the 36 weights, row by row, written as `numbers`")
    ] = UNSET
    option_values: Annotated[
        bytes | UnsetType, Meta(description="values of the options of the base, written as `numbers`")
    ] = UNSET


class TrainingStateDelta(FrameDelta, frozen=True, kw_only=True, tag_field="type", tag="delta"):
    """A compact frame of a shown episode: the `state_update` whose `base` it names, with these changes.

    What is not here is as it is there. Without that frame it cannot be read; then ignore it.
    """

    heat_map: Annotated[HeatMap | UnsetType, Meta(description="cells that changed since the base")] = UNSET
