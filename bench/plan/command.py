"""The command line of `python -m bench plan`."""

import argparse

from rich.console import Console
from rich.table import Table

from bench.plan.costs import Costs, read_costs, write_costs
from bench.plan.needs import WATCHERS, needs, sessions_a_core, trials_an_hour, viewers_a_core

_LARGEST_ERROR = 0.25


def run_plan(arguments: list[str]) -> None:
    """Print what numbers of watchers need; first measure the costs anew, if asked to."""
    parser = argparse.ArgumentParser(
        prog="python -m bench plan",
        description="Compute what a number of watchers needs, from measured costs.",
    )
    parser.add_argument("watchers", nargs="*", type=int, default=list(WATCHERS), help="numbers of watchers")
    parser.add_argument(
        "--measure", action="store_true", help="measure the costs on this machine, and keep them"
    )
    parser.add_argument("--seconds", type=float, default=8.0, help="of each measurement")
    options = parser.parse_args(arguments)
    if options.measure:
        from bench.plan.measuring import measure_costs  # noqa: PLC0415 - starts servers

        write_costs(measure_costs(options.seconds))
    costs = read_costs()
    _print(costs, options.watchers or list(WATCHERS))
    if any(abs(check.error) > _LARGEST_ERROR for check in costs.checks):
        raise SystemExit(
            f"The costs miss two instances by over {_LARGEST_ERROR:.0%}: measure on an idle machine."
        )


def _print(costs: Costs, watchers: list[int]) -> None:
    terminal = Console()
    out = terminal if terminal.is_terminal else Console(width=130)
    for check in costs.checks:
        out.print(
            f"{check.instances} instances, {check.sessions} sessions: {check.measured:.3f} cores measured, "
            f"{check.predicted:.3f} predicted ({check.error:+.0%})",
            highlight=False,
        )
    out.print(
        f"One core carries {sessions_a_core(costs):,} sessions or {viewers_a_core(costs):,} viewers, "
        f"or trains {trials_an_hour(costs, 1):.0f} lessons an hour.",
        highlight=False,
    )
    table = Table("watchers", "instances", "machines", "Gbit/s", "nginx", "Redis", "short first")
    for kind in ("sessions", "viewers"):
        for count in watchers:
            found = needs(costs, kind, count)
            name, at = found.first
            table.add_row(
                f"{count:,} {kind}",
                f"{found.instances:,}",
                f"{found.machines:,}",
                f"{8e-9 * found.bandwidth:.2f}",
                str(found.gateways),
                f"{found.redis_share:.1%}"
                if kind == "sessions"
                else f"{8e-6 * found.redis_bandwidth:.1f} Mbit/s",
                f"{name}, at {at:,}",
            )
    out.print(table)
