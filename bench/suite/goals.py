"""Set the goals of the figures, with what others reach."""

from collections.abc import Iterator
from typing import Final, Literal

from msgspec import Struct

from bench.suite.figures import Figure, Report


class Goal(Struct, frozen=True, kw_only=True):
    """Represent the goal of a figure; `peer` says in words what others reach.

    `unit` is that of the figure, `x` for a ratio; `better` tells whether more of it is better, or less.
    """

    benchmark: str
    figure: str
    unit: str = "x"
    peer: str = ""
    target: float
    moonshot: float
    better: Literal["more", "less"] = "more"

    def verdict(self, figure: Figure) -> str:
        """Return how far the median gets: `moonshot`, `target`, or `short` of both."""
        for level, bound in (("moonshot", self.moonshot), ("target", self.target)):
            if figure.median >= bound if self.better == "more" else figure.median <= bound:
                return level
        return "short"


GOALS: Final = (
    Goal(
        benchmark="sessions",
        figure="qnetwork / bare app",
        peer="0 (one session, shared)",
        target=0.7,
        moonshot=0.95,
    ),
    Goal(benchmark="sessions", figure="relational / bare app", target=0.5, moonshot=0.95),
    Goal(
        benchmark="frames",
        figure="one agent, compact",
        unit="bytes",
        peer="1,681 bytes, in full",
        target=250,
        moonshot=120,
        better="less",
    ),
    *(
        Goal(
            benchmark="frames",
            figure=f"a session's frame, {form} / least under Trio",
            target=1.3,
            moonshot=1.0,
            better="less",
        )
        for form in ("full", "compact")
    ),
    *(
        Goal(
            benchmark="frames",
            figure=f"a viewer's frame, {form} / least under Trio",
            target=1.1,
            moonshot=1.0,
            better="less",
        )
        for form in ("full", "compact")
    ),
    Goal(
        benchmark="isolation",
        figure="50 sessions, p99 with training / without",
        peer="no frame for 10 s",
        target=1.5,
        moonshot=1.1,
        better="less",
    ),
    Goal(
        benchmark="isolation",
        figure="500 sessions, p99 with training / without",
        target=1.5,
        moonshot=1.1,
        better="less",
    ),
    Goal(
        benchmark="worlds",
        figure="50 sessions in 20 worlds / in one",
        target=1.5,
        moonshot=1.1,
        better="less",
    ),
    Goal(
        benchmark="instances",
        figure="with Redis, where the run is trained / without",
        target=1.05,
        moonshot=1.01,
        better="less",
    ),
    Goal(
        benchmark="instances",
        figure="with Redis, at the other instance / without",
        target=1.05,
        moonshot=1.01,
        better="less",
    ),
    Goal(
        benchmark="policymap",
        figure="options, p99 with maps / without",
        target=1.1,
        moonshot=1.02,
        better="less",
    ),
    Goal(
        benchmark="policymap",
        figure="relational, p99 with maps / without",
        target=1.1,
        moonshot=1.02,
        better="less",
    ),
    Goal(
        benchmark="rooms",
        figure="p99 with a room / without",
        target=1.1,
        moonshot=1.02,
        better="less",
    ),
    Goal(
        benchmark="rooms",
        figure="a room's share of a core",
        unit="%",
        target=5,
        moonshot=2,
        better="less",
    ),
    Goal(
        benchmark="page",
        figure="JavaScript, gzipped",
        unit="kB",
        target=170,
        moonshot=120,
        better="less",
    ),
    Goal(benchmark="page", figure="first view", unit="ms", target=1000, moonshot=500, better="less"),
    Goal(
        benchmark="page",
        figure="four sessions at 10x, all of Chromium",
        unit="%",
        target=50,
        moonshot=25,
        better="less",
    ),
    Goal(benchmark="broadcast", figure="viewers / bare app", target=0.9, moonshot=0.98),
    Goal(
        benchmark="broadcast",
        figure="p99 with 1 % dead viewers / without",
        peer="a dead viewer blocks all",
        target=1.2,
        moonshot=1.0,
        better="less",
    ),
    Goal(
        benchmark="training",
        figure="qnetwork / stable-baselines3",
        peer="1.1 (726 steps/s)",
        target=2,
        moonshot=5,
    ),
    *(
        Goal(
            benchmark="training",
            figure=f"{network}, eight at once / stable-baselines3, eight at once",
            peer=peer,
            target=target,
            moonshot=moonshot,
        )
        for network, peer, target, moonshot in (
            ("dueling", "0.97", 1.44, 2.88),
            ("spatial", "0.21", 0.48, 1.44),
            ("relational", "0.19", 0.48, 1.44),
        )
    ),
    Goal(
        benchmark="world",
        figure="1 world",
        unit="steps/s",
        peer="61,800 steps/s",
        target=60_000,
        moonshot=500_000,
    ),
    Goal(
        benchmark="world",
        figure="64 worlds",
        unit="steps/s",
        peer="42,000 steps/s",
        target=400_000,
        moonshot=10_000_000,
    ),
    Goal(
        benchmark="world",
        figure="1,024 worlds",
        unit="steps/s",
        peer="322,000 steps/s",
        target=2_000_000,
        moonshot=30_000_000,
    ),
    Goal(
        benchmark="world",
        figure="4,096 worlds",
        unit="steps/s",
        peer="544,000 steps/s",
        target=3_000_000,
        moonshot=50_000_000,
    ),
    Goal(
        benchmark="start",
        figure="memory of an idle session",
        unit="KB",
        target=100,
        moonshot=60,
        better="less",
    ),
    Goal(benchmark="start", figure="port answers", unit="s", target=0.5, moonshot=0.2, better="less"),
    Goal(benchmark="start", figure="ready", unit="s", target=2.5, moonshot=1.5, better="less"),
)


def reached(report: Report) -> Iterator[tuple[Goal, Figure]]:
    """Return the goals of a report's benchmark with their figures, where measured."""
    for goal in GOALS:
        if goal.benchmark == report.benchmark and (figure := report.find(goal.figure)) is not None:
            yield goal, figure
