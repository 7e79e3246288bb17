"""What can be asked of a history, with the limits of each question."""

from typing import Annotated

from msgspec import Meta, Struct

from hamlet_trio.agent.names import NetworkType
from hamlet_trio.history.records import RunState

Name = Annotated[str, Meta(max_length=255)]
EpisodeNumber = Annotated[int, Meta(ge=0, le=2**53)]
Count = Annotated[int, Meta(ge=1, le=1000)]


class FailureFilter(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which failures are asked for; an absent filter lets all pass. `run` is a run's id."""

    agent: Name | None = None
    reason: Name | None = None
    min_episode: EpisodeNumber | None = None
    max_episode: EpisodeNumber | None = None
    run: Name | None = None


class FailureQuery(FailureFilter, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which failures, and how many of the newest episodes."""

    limit: Count = 20


class SummaryQuery(FailureFilter, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Failures by agent and reason; with `limit`, only so many of the newest episodes' are counted."""

    limit: Count | None = None
    top: Count = 10


class RunsQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which runs, newest first; `before` is the id of the last run of the page before."""

    state: RunState | None = None
    network_type: NetworkType | None = None
    before: Name | None = None
    limit: Count = 50


class EpisodesQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which episodes of a run, in their order; `after` is the last episode of the page before.

    `reason` is why they ended; `none` for those that no meter ended.
    """

    reason: Name | None = None
    min_episode: EpisodeNumber | None = None
    max_episode: EpisodeNumber | None = None
    after: EpisodeNumber | None = None
    limit: Count = 100
