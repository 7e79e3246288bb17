"""The tables of the plan, from the costs that `python -m bench plan` measured last."""

from collections.abc import Callable
from typing import Final

from bench.plan.costs import read_costs
from bench.plan.needs import WATCHERS, needs, sessions_a_core, trials_an_hour, viewers_a_core
from scripts.doc_tables.markdown import table


def _costs() -> str:
    costs = read_costs()
    machine = costs.machine
    rows = [
        (
            "a frame of a playing session",
            f"{1e6 * costs.session_frame:.0f} µs",
            f"{costs.session_bytes:.0f} B",
        ),
        ("a session more", "", f"{costs.session_memory / 1024:.0f} KiB of memory"),
        (
            "a frame of a run, for each viewer",
            f"{1e6 * costs.viewer_frame:.0f} µs",
            f"{costs.viewer_bytes:.0f} B",
        ),
        (
            "an instance, besides frames",
            f"{costs.fixed_share:.1%} of a core",
            f"{costs.instance_memory / 2**20:.0f} MiB of memory",
        ),
        (
            "a snapshot of a session in Redis, every two seconds",
            f"{1e6 * costs.snapshot:.1f} µs of Redis",
            f"{costs.snapshot_memory:.0f} B of its memory",
        ),
        ("a lesson of 100 episodes", f"{costs.trial:.0f} s", ""),
    ]
    size = f"{machine.cores} cores, {machine.memory_gb:.0f} GB"
    where = f"Measured on {machine.processor}, {size}, beside other work."
    return f"{table(('What', 'Processor', 'Size'), rows)}\n\n{where}"


def _checks() -> str:
    return table(
        ("Instances", "Sessions", "Cores, measured", "Cores, predicted", "Off by"),
        [
            (
                str(check.instances),
                str(check.sessions),
                f"{check.measured:.3f}",
                f"{check.predicted:.3f}",
                f"{check.error:+.0%}".replace("-", "\u2212"),
            )
            for check in read_costs().checks
        ],
    )


def _needs() -> str:
    costs = read_costs()
    rows = []
    for kind in ("sessions", "viewers"):
        for count in WATCHERS:
            found = needs(costs, kind, count)
            name, at = found.first
            redis = (
                f"{found.redis_share:.1%} of its core, {found.redis_memory / 1e6:,.0f} MB"
                if kind == "sessions"
                else f"{8e-6 * found.redis_bandwidth:,.1f} Mbit/s out"
            )
            rows.append(
                (
                    f"{count:,} {kind}",
                    f"{found.instances:,}",
                    f"{found.machines:,}",
                    f"{8e-9 * found.bandwidth:,.2f} Gbit/s",
                    f"{found.gateways:,}",
                    redis,
                    f"{name}, at {at:,}",
                )
            )
    headings = ("Watchers", "Instances", "Machines", "Bandwidth", "nginx", "Redis", "Short first")
    sessions, viewers = sessions_a_core(costs), viewers_a_core(costs)
    carried = f"One core carries {sessions:,} playing sessions, or {viewers:,} viewers of a run."
    return f"{carried}\n\n{table(headings, rows)}"


def _trials() -> str:
    costs = read_costs()
    return table(
        ("Cores", "Lessons of 100 episodes in an hour", "Ten seeds take"),
        [
            (
                str(cores),
                f"{trials_an_hour(costs, cores):,.0f}",
                f"{-(-10 // cores) * costs.trial / 60:.1f} min",
            )
            for cores in (1, 2, 8, 16, 128)
        ],
    )


TABLES: Final[dict[str, Callable[[], str]]] = {
    "plan-costs": _costs,
    "plan-checks": _checks,
    "plan-needs": _needs,
    "plan-trials": _trials,
}
