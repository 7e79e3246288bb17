"""Find the largest number of viewers, then stop some of them from reading, round by round."""

import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final

from bench.broadcast.watching import Viewers
from bench.server import Server, serving, serving_bare, serving_least, wait_until_ready
from bench.sessions.measuring import BARE, LEAST, UNLIMITED
from bench.suite.command import Effort, run, tell
from bench.suite.figures import Figure, alternate, ratio
from bench.suite.load import Load
from bench.suite.machine import divide_cores, pin
from bench.suite.search import CLOSE, WIDE, largest
from bench.suite.trainer import training
from hamlet_trio.web.process_setup import raise_file_limit

__all__ = ["measure", "run"]

LATE: Final = 0.050
_MOST: Final = 3900
_START: Final = 300
_SHARE: Final = 0.7  # of the viewers that are carried, when some are to die
_DEAD: Final = 0.01
_FILLING: Final = 6.0  # seconds until the buffers of a viewer that never reads are full
_SHOWN: Final = {"show_every": 1, "step_delay": 0.05, "network_type": "qnetwork"}


class Contender:
    """Represent one server and the number of viewers that it carries."""

    def __init__(self, name: str, server: Server, load: Load) -> None:
        self._name = name
        self._server = server
        self._load = load
        self._start, self._stride = _START, WIDE

    def capacity(self, seconds: float) -> float:
        """Search for the largest number of viewers, starting from the last result."""
        viewers = Viewers(self._server, self._load)

        def lateness(count: int) -> float:
            late = viewers.watch(count, seconds)
            tell(f"{self._name}, {count} viewers: 99 % less than {1e3 * late:.1f} ms late")
            return late

        found = largest(lateness, LATE, start=self._start, most=_MOST, stride=self._stride)
        viewers.close()
        self._start, self._stride = max(found, 1), CLOSE
        return found


def measure(effort: Effort) -> list[Figure]:
    """Return the viewers that Hamlet and its anchors carry, and lateness without and with dead viewers."""
    cores = divide_cores()
    pin(0, cores.others)
    raise_file_limit(_MOST)
    seconds = effort.choose(1.0, 2.5)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(serving(cores.server, send_timeout="3600", **UNLIMITED))
        wait_until_ready(server.port, server.process)
        # One for all, so that the teacher, who is a viewer too, never stops reading.
        load = stack.enter_context(Load())
        stack.enter_context(training(server, load, cores, **_SHOWN))
        viewers = Viewers(server, load)
        viewers.watch(1, 1.0)
        (folder / "frame").write_bytes(viewers.shown.frame())
        viewers.close()
        contenders = {"Hamlet": Contender("Hamlet", server, load)}
        for name, start in ((BARE, serving_bare), (LEAST, serving_least)):
            peer = stack.enter_context(start(cores.server, folder / "frame"))
            wait_until_ready(peer.port, peer.process)
            contenders[name] = Contender(name, peer, load)
        values = alternate(
            {name: partial(contender.capacity, seconds) for name, contender in contenders.items()},
            effort.rounds,
        )
        count = max(int(_SHARE * min(values["Hamlet"])), 1)
        alive, hindered = _dead_viewers(Viewers(server, load), load, count, effort)
    viewers_figure = Figure(name="viewers", unit="viewers", values=values["Hamlet"])
    bare, least = (
        Figure(name=name, unit="viewers", values=values[name], beside=True) for name in (BARE, LEAST)
    )
    without = Figure(name="p99 without dead viewers", unit="ms", values=alive, beside=True)
    dead = Figure(name="p99 with 1 % dead viewers", unit="ms", values=hindered)
    return [
        viewers_figure,
        bare,
        least,
        ratio(f"viewers / {BARE}", viewers_figure, bare),
        ratio(f"viewers / {LEAST}", viewers_figure, least),
        without,
        dead,
        ratio("p99 with 1 % dead viewers / without", dead, without),
    ]


def _dead_viewers(
    viewers: Viewers, load: Load, count: int, effort: Effort
) -> tuple[list[float], list[float]]:
    """Return the lateness in milliseconds without and with dead viewers."""
    seconds = effort.choose(1.0, 5.0)
    alive: list[float] = []
    hindered: list[float] = []
    for _ in range(effort.rounds):
        alive.append(1e3 * viewers.watch(count, seconds))
        viewers.add_dead(max(int(_DEAD * count), 1))
        load.run(effort.choose(1.0, _FILLING))
        hindered.append(1e3 * viewers.watch(count, seconds))
        viewers.close_dead()
    viewers.close()
    return alive, hindered
