"""The facts of a recording that are known without playing it."""

import re
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from hamlet_trio.common.agents import AgentId, AgentResults

MAX_STEPS: Final = 10_000
"""Steps of all agents together; longer episodes are not recorded. This bounds a file to about 2 MB, and the
cost of its replay."""

Reason = Literal["every_nth", "best_so_far", "worst_so_far", "first_death", "asked_for"]
Source = Literal["training", "session"]

_MAX_EPISODE: Final = 10**9
_Text = Annotated[str, Meta(max_length=255)]
_Step = Annotated[int, Meta(ge=0, le=MAX_STEPS)]

_ID: Final = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}(-ep\d{1,6})?")


class Marker(Struct, frozen=True, forbid_unknown_fields=True):
    """One mark on an episode's timeline."""

    step: Annotated[_Step, Meta(description="step it marks")]
    kind: Annotated[
        Literal["interaction", "critical", "end"],
        Meta(description="an interaction, a meter that becomes critical, or the end"),
    ]
    what: Annotated[
        _Text,
        Meta(description="the affordance, the meter, or the failure that ended the episode, or `max_steps`"),
    ]
    count: Annotated[
        _Step, Meta(description="number of consecutive interactions with one affordance, which are one mark")
    ] = 1
    agent: Annotated[AgentId | UnsetType, Meta(description="agent it is about, if there are several")] = UNSET


Markers = Annotated[tuple[Marker, ...], Meta(max_length=8 * MAX_STEPS, description="steps worth jumping to")]


class LastChance(Struct, frozen=True):
    """The last step of a failed life from which a place that refills the failed meter could still be reached.

    Reached means: alive, by shortest walks, and with the money that each visit costs; other places may be
    visited on the way, for instance the job for money. From any later step no plan does it.
    """

    step: Annotated[int, Meta(description="the step; one step later it was too late")]
    places: Annotated[
        tuple[str, ...],
        Meta(description="names of the places to visit from there, in order; the last one refills the meter"),
    ]


class RecordingInfo(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The facts of one recording.

    With several agents `episode_return` is the mean over them, and `failure_reason` is that of the first one
    to fail.
    """

    recording: Annotated[_Text, Meta(description="id of the recording, which is also the name of its file")]
    created: Annotated[_Text, Meta(description="when it was made; ISO 8601, UTC")]
    reasons: Annotated[tuple[Reason, ...], Meta(max_length=16, description="why it was kept")]
    source: Annotated[Source, Meta(description="where the episode was played: in training or in a session")]
    run_id: Annotated[_Text | None, Meta(description="id of its training run; null for a session's")] = None
    model: Annotated[
        _Text | None, Meta(description="file name of the model that played; null in training or untrained")
    ] = None
    episode: Annotated[
        int, Meta(ge=1, le=_MAX_EPISODE, description="number of the episode in its run or session")
    ]
    steps: Annotated[int, Meta(ge=1, le=MAX_STEPS, description="number of steps")]
    episode_return: Annotated[float, Meta(description="sum of the rewards")]
    ended: Annotated[
        Literal["meter_depleted", "max_steps"] | None,
        Meta(description="how the episode ended; null if it was recorded before its end"),
    ]
    failure_reason: Annotated[_Text | None, Meta(description="failure that ended the episode, or null")]
    q_values: Annotated[bool, Meta(description="whether it has Q-values")]
    attention: Annotated[bool, Meta(description="whether it has attention weights")]
    markers: Markers
    package_version: Annotated[_Text, Meta(description="version of Hamlet that recorded it")]
    rules_version: Annotated[int, Meta(ge=0, le=10**9, description="version of the world's rules")]
    agents: AgentResults | UnsetType = UNSET


class ListedRecording(Struct, frozen=True):
    """One file of the recordings folder."""

    recording: Annotated[str, Meta(description="id of the recording")]
    size_bytes: Annotated[int, Meta(description="size of the file")]
    info: Annotated[RecordingInfo | None, Meta(description="facts of the recording; null if it is unusable")]
    error: Annotated[str | None, Meta(description="why it is unusable, in one sentence")] = None
    world_digest: Annotated[
        str | None, Meta(description="digest of the rules of its world; null if it is unusable")
    ] = None


def recordings_path(data_dir: str) -> Path:
    """Return the folder of recordings in a data folder."""
    return Path(data_dir) / "recordings"


def new_id(run_id: str | None = None, episode: int = 0) -> str:
    """Return a recording's id: that of a run's episode, else a new one that sorts by time (UTC)."""
    if run_id is not None:
        return f"{run_id}-ep{episode}"
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def is_recording_id(text: str) -> bool:
    """Return whether untrusted text can be a recording's id, which is safe to use in a path."""
    return text.isascii() and _ID.fullmatch(text) is not None
