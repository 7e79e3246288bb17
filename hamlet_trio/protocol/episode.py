"""What is known of a finished episode: one struct, from which everything that holds its figures is made.

`FIGURES` lists them flat. The history's columns, the CSV, the answers over HTTP, TensorBoard's tags, the
page's charts and the tables of the documentation follow from it.
"""

from types import UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from msgspec import UNSET, Meta, Struct, UnsetType

from hamlet_trio.common.agents import AgentResults

CHARTS: Final = {
    "Survival, in steps": 0,
    "Return per episode": 1,
    "Loss": 3,
    "Exploration (ε)": 2,
    "Replay buffer": 0,
    "Q-value": 2,
}
"""Titles of the page's charts, in their order, with the decimals of their values."""


def _figure(
    description: str,
    *,
    unit: str = "",
    chart: str = "",
    line: str = "",
    style: Literal["line", "faint", "points"] = "line",
    tag: str = "",
) -> Meta:
    """Describe a figure: its unit, its line in one of `CHARTS`, and its tag in TensorBoard.

    The line is `faint` where it lies beneath a mean, and `points` where only some episodes have the figure.
    """
    extra = {"unit": unit, "chart": chart, "line": line, "style": style, "tag": tag}
    return Meta(description=description, extra=extra)


class EvaluationSummary(Struct, frozen=True):
    """A greedy evaluation in worlds of its own: means over `episodes` episodes."""

    mean_length: Annotated[
        float,
        _figure(
            "Mean steps survived.",
            unit="steps",
            chart="Survival, in steps",
            line="greedy evaluation",
            style="points",
            tag="mean_length",
        ),
    ]
    mean_return: Annotated[
        float,
        _figure(
            "Mean return.",
            chart="Return per episode",
            line="greedy evaluation",
            style="points",
            tag="mean_return",
        ),
    ]
    episodes: Annotated[int, _figure("How many episodes the means are over.", unit="episodes")]


class EpisodeComplete(Struct, frozen=True, tag_field="type", tag="episode_complete"):
    """One finished episode. `loss` is the mean over its gradient steps, 0 before the first one.

    With several agents `reward` and `length` are the means over them, and `failure_reason` is that of the
    first one to fail.
    """

    episode: Annotated[int, _figure("Number of the episode, from 1.")]
    reward: Annotated[
        float,
        _figure(
            "Return of the episode.",
            chart="Return per episode",
            line="return",
            style="faint",
            tag="charts/episodic_return",
        ),
    ]
    length: Annotated[
        int,
        _figure(
            "Steps it lasted.",
            unit="steps",
            chart="Survival, in steps",
            line="steps",
            style="faint",
            tag="charts/episodic_length",
        ),
    ]
    loss: Annotated[
        float,
        _figure(
            "Mean loss over its gradient steps, 0 before the first one.",
            chart="Loss",
            line="loss",
            tag="losses/td_loss",
        ),
    ]
    epsilon: Annotated[
        float,
        _figure(
            "Share of random actions at this time.",
            chart="Exploration (ε)",
            line="epsilon",
            tag="charts/epsilon",
        ),
    ]
    avg_reward_5: Annotated[
        float,
        _figure("Mean return of the last 5 episodes.", chart="Return per episode", line="mean of 5"),
    ]
    avg_length_5: Annotated[
        float,
        _figure(
            "Mean length of the last 5 episodes.", unit="steps", chart="Survival, in steps", line="mean of 5"
        ),
    ]
    avg_loss_5: Annotated[float, _figure("Mean loss of the last 5 episodes.")]
    buffer_size: Annotated[
        int,
        _figure(
            "Transitions in the replay buffer.",
            unit="transitions",
            chart="Replay buffer",
            line="transitions",
        ),
    ]
    failure_reason: Annotated[str | None, _figure("Which meter ended the episode, or null.")]
    steps_per_second: Annotated[
        float, _figure("Environment steps a second in this episode.", unit="steps/s", tag="charts/SPS")
    ]
    evaluation: (
        Annotated[
            EvaluationSummary,
            Meta(description="A greedy evaluation from the usual start, after the episodes that have one."),
        ]
        | UnsetType
    ) = UNSET
    q_value: Annotated[
        float | None,
        _figure(
            "Mean Q-value of the actions taken, in the transitions learnt from; null without any.",
            chart="Q-value",
            line="actions taken",
            tag="losses/q_values",
        ),
    ] = None
    evaluation_random: (
        Annotated[
            EvaluationSummary,
            Meta(
                description="The same from random starts, which are the same in every run.",
                extra={"suffix": ", random starts"},
            ),
        ]
        | UnsetType
    ) = UNSET
    agents: AgentResults | UnsetType = UNSET


class Figure(Struct, frozen=True):
    """One figure of an episode, as a column.

    Attributes:
        path: the fields of `EpisodeComplete` that lead to it.
        kind: the type of its values.
        unit, chart, line, tag: as `_figure` was given them; empty where it has none.
    """

    path: tuple[str, ...]
    kind: type[int] | type[float] | type[str]
    description: str
    unit: str
    chart: str
    line: str
    style: str
    tag: str

    @property
    def name(self) -> str:
        """The name of the column."""
        return "_".join(self.path)

    def of(self, episode: Struct) -> Any:
        """Return its value, None where the episode has none."""
        value: Any = episode
        for field in self.path:
            value = getattr(value, field)
            if value is None or value is UNSET:
                return None
        return value


def figures_of(struct: type[Struct], path: tuple[str, ...] = (), suffix: str = "") -> tuple[Figure, ...]:
    """List the figures of a struct and of the structs in it, in their order.

    A field of a struct may give the lines of that struct's figures a `suffix`; its name begins their tags.
    """
    found: list[Figure] = []
    for name, hint in get_type_hints(struct, include_extras=True).items():
        kind, meta = plain_type(hint)
        if get_origin(kind) is dict:
            continue  # of single agents: not a figure of the episode
        if issubclass(kind, Struct):
            extra = meta.extra if meta is not None and meta.extra else {}
            found += figures_of(kind, (*path, name), extra.get("suffix", ""))
            continue
        assert meta is not None, f"{name} has no figure"
        assert meta.extra is not None, f"{name} has no figure"
        line = meta.extra["line"] and meta.extra["line"] + suffix
        tag = meta.extra["tag"] and "/".join((*path, meta.extra["tag"]))
        own = {"line": line, "tag": tag}
        found.append(Figure((*path, name), kind, meta.description or "", **meta.extra | own))
    return tuple(found)


def plain_type(hint: Any) -> tuple[type[Any], Meta | None]:
    """Return the one type that a field holds besides null and absence, and what is said of it."""
    meta = None
    while get_origin(hint) in (Annotated, Union, UnionType):
        if get_origin(hint) is Annotated:
            hint, meta = get_args(hint)
        else:
            (hint,) = [part for part in get_args(hint) if part not in (type(None), UnsetType)]
    return hint, meta


FIGURES: Final = figures_of(EpisodeComplete)
"""Every figure of an episode; those of an evaluation have names that begin with its field's."""
