"""The questions that the history answers, with the limits of their parameters."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from hamlet_trio.agent.names import NetworkType
from hamlet_trio.history.records import RunState

Name = Annotated[str, Meta(max_length=255)]
EpisodeNumber = Annotated[int, Meta(ge=0, le=2**53)]
Count = Annotated[int, Meta(ge=1, le=1000)]

FromEpisode = Annotated[EpisodeNumber | None, Meta(description="first episode to include")]
ToEpisode = Annotated[EpisodeNumber | None, Meta(description="last episode to include")]


class FailureFilter(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Filters for failures; an absent one lets all pass."""

    agent: Annotated[Name | None, Meta(description="id of the agent")] = None
    reason: Annotated[Name | None, Meta(description="failure that ended the episode")] = None
    min_episode: FromEpisode = None
    max_episode: ToEpisode = None
    run: Annotated[Name | None, Meta(description="id of the run")] = None


class FailureQuery(FailureFilter, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which failures, and how many of the newest."""

    limit: Annotated[Count, Meta(description="number of failures")] = 20
    order: Annotated[
        Literal["episode", "time"],
        Meta(description="`episode`: highest number of the episode first; `time`: latest first"),
    ] = "episode"


class SummaryQuery(FailureFilter, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which failures to group by agent and reason, and how many groups."""

    limit: Annotated[Count | None, Meta(description="count only this many of the newest failures")] = None
    top: Annotated[Count, Meta(description="number of groups")] = 10


class FailureSeriesQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Failures over time: of one run by its episodes, or else of the newest runs."""

    run: Annotated[Name | None, Meta(description="id of the run")] = None
    columns: Annotated[int, Meta(ge=1, le=100, description="largest number of columns")] = 20


class RunsQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which runs, newest first."""

    state: Annotated[RunState | None, Meta(description="state of the run")] = None
    network_type: Annotated[NetworkType | None, Meta(description="type of the Q-network")] = None
    sweep: Annotated[Name | None, Meta(description="id of the sweep that they are trials of")] = None
    before: Annotated[Name | None, Meta(description="id of the last run on the previous page")] = None
    limit: Annotated[Count, Meta(description="number of runs on a page")] = 50


class EpisodesQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which episodes of a run, in their order."""

    reason: Annotated[
        Name | None, Meta(description="failure that ended the episode, or `none` for those without one")
    ] = None
    min_episode: FromEpisode = None
    max_episode: ToEpisode = None
    every: Annotated[
        int,
        Meta(ge=1, le=2**31, description="only each n-th episode, and those that an evaluation followed"),
    ] = 1
    after: Annotated[EpisodeNumber | None, Meta(description="last episode on the previous page")] = None
    limit: Annotated[Count, Meta(description="number of episodes on a page")] = 100
