"""`/api/failures` and `/api/failure_summary`: how episodes ended, filtered by the query."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Annotated, Final, TypeVar

import msgspec
from msgspec import Meta, Struct

from hamlet_trio.protocol.errors import BadMessageError, ErrorCode
from hamlet_trio.training import Failure

_Name = Annotated[str, Meta(max_length=255)]
_Episode = Annotated[int, Meta(ge=0, le=2**53)]
_Count = Annotated[int, Meta(ge=1, le=1000)]

_ALLOWED: Final = {
    "agent": "text of at most 255 characters",
    "reason": "text of at most 255 characters",
    "min_episode": "a whole number from 0 on",
    "max_episode": "a whole number from 0 on",
    "limit": "a whole number from 1 to 1000",
    "top": "a whole number from 1 to 1000",
}


class FailureFilter(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which failures are asked for; an absent filter lets all pass."""

    agent: _Name | None = None
    reason: _Name | None = None
    min_episode: _Episode | None = None
    max_episode: _Episode | None = None

    def passes(self, failure: Failure) -> bool:
        """Whether this one is asked for."""
        return (
            (self.agent is None or failure.agent_id == self.agent)
            and (self.reason is None or failure.reason == self.reason)
            and (self.min_episode is None or failure.episode >= self.min_episode)
            and (self.max_episode is None or failure.episode <= self.max_episode)
        )


class FailureQuery(FailureFilter, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The query of `/api/failures`."""

    limit: _Count = 20


class SummaryQuery(FailureFilter, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The query of `/api/failure_summary`; with `limit`, only so many of the newest failures are counted."""

    limit: _Count | None = None
    top: _Count = 10


class FailureGroup(Struct, frozen=True):
    """All failures of one agent for one reason; over several runs the last episode need not be the latest."""

    agent_id: str
    reason: str
    count: int
    last_episode: int
    last_timestamp: str


Query = TypeVar("Query", bound=FailureFilter)


def read_query(parameters: Mapping[str, list[str]], kind: type[Query]) -> Query:
    """The query that a request's parameters make; a known one left empty counts as absent.

    Raises `BadMessageError` (`invalid_query`) for an unknown, repeated or impossible parameter.
    """
    known = kind.__struct_fields__
    given = {name: values for name, values in parameters.items() if values != [""] or name not in known}
    for name, values in given.items():
        if name not in known:
            raise _invalid(name[:60], f"There is no parameter `{name[:60]}`; there are {', '.join(known)}.")
        if len(values) > 1:
            raise _invalid(name, f"`{name}` was given {len(values)} times; give it once.")
    single = {name: value for name, (value,) in given.items()}
    try:
        return msgspec.convert(single, kind, strict=False)
    except msgspec.ValidationError as error:
        name = str(error).rpartition("`$.")[2].strip("`")
        raise _invalid(name, f"`{name}` must be {_ALLOWED[name]}; {single[name][:60]!r} was given.") from None


def select(failures: Iterable[Failure], query: FailureQuery) -> list[Failure]:
    """The failures that pass, newest episode first."""
    return _newest_first(failures, query)[: query.limit]


def summarise(failures: Iterable[Failure], query: SummaryQuery) -> list[FailureGroup]:
    """The failures that pass, by agent and reason, the largest count first."""
    groups: defaultdict[tuple[str, str], list[Failure]] = defaultdict(list)
    for failure in _newest_first(failures, query)[: query.limit]:
        groups[failure.agent_id, failure.reason].append(failure)
    summary = [
        FailureGroup(agent, reason, len(group), group[0].episode, max(failure.timestamp for failure in group))
        for (agent, reason), group in groups.items()
    ]
    summary.sort(key=lambda group: (-group.count, -group.last_episode))
    return summary[: query.top]


def _newest_first(failures: Iterable[Failure], query: FailureFilter) -> list[Failure]:
    passing = [failure for failure in failures if query.passes(failure)]
    passing.sort(key=lambda failure: (failure.episode, failure.id), reverse=True)
    return passing


def _invalid(field: str, sentence: str) -> BadMessageError:
    return BadMessageError(ErrorCode.INVALID_QUERY, sentence, field=field)
