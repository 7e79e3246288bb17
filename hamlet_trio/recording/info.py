"""What is known of a recording without playing it."""

import re
import secrets
from datetime import UTC, datetime
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

MAX_STEPS: Final = 10_000
"""Longer episodes are not recorded; it bounds a file to about 2 MB, and what its replay takes."""

Reason = Literal["every_nth", "best_so_far", "worst_so_far", "first_death", "asked_for"]
Source = Literal["training", "session"]

_ID: Final = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}(-ep\d{1,6})?")


class Marker(Struct, frozen=True, forbid_unknown_fields=True):
    """One mark on an episode's timeline.

    `what` is an affordance's name, a meter's name, or why the episode ended (a failure reason or
    `max_steps`). Uses of one place in consecutive steps are one mark, with their number as `count`.
    """

    step: int
    kind: Literal["interaction", "critical", "end"]
    what: str
    count: int = 1


class RecordingInfo(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The facts of one recording. Its id, which is also its file's name, stands under `recording`."""

    recording: str
    created: str
    reasons: tuple[Reason, ...]
    source: Source
    run_id: str | None = None
    model: str | None = None
    episode: Annotated[int, Meta(ge=1)]
    steps: Annotated[int, Meta(ge=1, le=MAX_STEPS)]
    episode_return: float
    ended: Literal["meter_depleted", "max_steps"] | None
    failure_reason: str | None
    q_values: bool
    attention: bool
    markers: tuple[Marker, ...]
    package_version: str
    rules_version: int


class ListedRecording(Struct, frozen=True):
    """One file of the folder: its facts, or the sentence that says why it cannot be used."""

    recording: str
    size_bytes: int
    info: RecordingInfo | None
    error: str | None = None


def new_id(run_id: str | None = None, episode: int = 0) -> str:
    """A recording's id: of a training run's episode, else a new one that sorts by time (UTC)."""
    if run_id is not None:
        return f"{run_id}-ep{episode}"
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def is_recording_id(text: str) -> bool:
    """Whether this, perhaps of a stranger, can be a recording's id: it holds nothing a path could be of."""
    return text.isascii() and _ID.fullmatch(text) is not None
