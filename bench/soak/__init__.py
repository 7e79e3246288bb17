"""Run a class while faults are injected all around it: `python -m bench soak`.

Well-behaved players and viewers come and go and check every message. Meanwhile faults are injected, each at
its rate, from one seed: garbage, clients that do not read or vanish, killed trainers, a full disk, a clock
that jumps. What the server holds is measured twice with nobody there: in the middle, after a round of
everything, and at the end; so what one round takes for good (caches, pools of threads) does not count as
growth, while a leak grows in the second half as in the first.
"""

import argparse
import platform
import random
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import trio
from rich.console import Console
from rich.table import Table

from bench.soak.faults import Fault, injectable
from bench.soak.innocents import Player, Viewer
from bench.soak.subject import Measure, Subject, running_subject
from bench.soak.tally import Tally

_WARM_UP: Final = 0.5  # share of the time before the first measurement
_GROWTH: Final = 0.05  # of memory, that is still called flat
_MEGABYTES: Final = 10.0  # or so much: pages that an allocator keeps in hand
# In its first minutes a server still takes paths for the first time: half a minute after a warm-up of half a
# minute it held 14 to 17 MB more.
_MINUTES_AT_FIRST: Final = 10.0
_MEGABYTES_AT_FIRST: Final = 40.0

Faults = dict[str, tuple[Fault, float]]


@dataclass(frozen=True)
class Soak:
    """Hold what the rounds of one soak share."""

    subject: Subject
    faults: Faults
    tally: Tally
    players: int
    viewers: int


async def _inject(soak: Soak, name: str, rng: random.Random) -> None:
    fault, a_minute = soak.faults[name]
    async with trio.open_nursery() as nursery:
        while True:
            await trio.sleep(rng.expovariate(a_minute / 60))
            soak.tally.faults[name] += 1
            nursery.start_soon(fault, soak.subject, random.Random(rng.random()))


async def _round(soak: Soak, seed: str, seconds: float) -> None:
    """Run a class and all faults at once for some seconds, then disconnect everybody and stop the run."""
    rng = random.Random(seed)
    port, tally = soak.subject.port, soak.tally
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Viewer(port, rng.randrange(2**32), tally, teaches=True).come_and_go)
        for _ in range(soak.players):
            nursery.start_soon(Player(port, rng.randrange(2**32), tally).come_and_go)
        for _ in range(soak.viewers):
            nursery.start_soon(Viewer(port, rng.randrange(2**32), tally).come_and_go)
        for name in soak.faults:
            nursery.start_soon(_inject, soak, name, random.Random(f"{seed} {name}"))
        await trio.sleep(seconds)
        nursery.cancel_scope.cancel()
    soak.subject.free_disk()
    soak.subject.set_clock(0)
    await Viewer(port, 0, tally).stop_run()


def judge(
    tally: Tally,
    first: Measure,
    last: Measure,
    exit_code: int | None,
    *,
    minutes: float = _MINUTES_AT_FIRST,
) -> list[str]:
    """Return a sentence for each violated expectation of a soak of so many minutes."""
    spare = _MEGABYTES if minutes >= _MINUTES_AT_FIRST else _MEGABYTES_AT_FIRST
    grown = last.megabytes - first.megabytes
    failures = {
        "messages were lost": tally.lost > 0,
        "errors reached innocent clients": bool(tally.innocent),
        "memory grew": grown > max(_GROWTH * first.megabytes, spare),
        "tasks were left over": last.tasks > first.tasks,
        "descriptors were left over": last.files > first.files,
        "processes were left over": last.children > 0,
        "the server did not end in order": exit_code != 0,
        "nobody was there to notice": tally.messages == 0 or not tally.faults,
    }
    return [sentence for sentence, failed in failures.items() if failed]


def _report(subject: Subject, tally: Tally, first: Measure, last: Measure, exit_code: int | None) -> None:
    """Print the counts."""
    table = Table(title=f"soak, {platform.machine()}", show_header=False)
    rows: dict[str, object] = {
        "connections made": tally.connections,
        "messages read": tally.messages,
        "messages lost": tally.lost,
        "errors that reached an innocent client": sum(tally.innocent.values()),
        "memory": f"{first.megabytes:.0f} MB, then {last.megabytes:.0f} MB",
        "tasks left over": last.tasks - first.tasks,
        "descriptors left over": last.files - first.files,
        "processes left over": last.children,
        "exit code": exit_code,
    }
    rows |= {f"injected: {name}": count for name, count in sorted(tally.faults.items())}
    rows |= {f"left out: {name}": reason for name, reason in subject.left_out.items()}
    rows |= {f"told: {what}": count for what, count in sorted(tally.expected.items())}
    rows |= {f"innocent: {what}": count for what, count in sorted(tally.innocent.items())}
    rows |= {f"logged as an error: {event}": count for event, count in subject.logged().items()}
    for name, value in rows.items():
        table.add_row(name, str(value))
    Console().print(table)


def main(arguments: list[str]) -> None:
    """Run the soak and print its counts; return 1 if an expectation is violated."""
    parser = argparse.ArgumentParser(prog="python -m bench soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--players", type=int, default=20)
    parser.add_argument("--viewers", type=int, default=6)
    options = parser.parse_args(arguments)
    seconds = 60 * options.minutes
    tally = Tally()
    with (
        tempfile.TemporaryDirectory() as folder,
        running_subject(Path(folder)) as subject,
        injectable(subject) as faults,
    ):
        soak = Soak(subject, faults, tally, options.players, options.viewers)
        trio.run(_round, soak, f"{options.seed} first", _WARM_UP * seconds)
        first = subject.settle()
        trio.run(_round, soak, f"{options.seed} then", (1 - _WARM_UP) * seconds)
        last = subject.settle(before=first)
        exit_code = subject.end()
        _report(subject, tally, first, last, exit_code)
        failures = judge(tally, first, last, exit_code, minutes=options.minutes)
    if failures:
        sys.exit("; ".join(failures).capitalize() + ".")
    print("Nothing was lost, nobody innocent was hit, nothing was left over.")
