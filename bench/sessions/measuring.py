"""Find the largest number of sessions of each network type and of the bare app, round by round."""

import math
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Final

import torch

from bench.server import Server, serving, serving_bare, serving_least, wait_until_ready
from bench.sessions.playing import Players
from bench.suite.command import Effort, UnknownContenderError, run, tell
from bench.suite.figures import Figure, alternate, ratio
from bench.suite.load import Load
from bench.suite.machine import divide_cores, pin
from bench.suite.search import CLOSE, WIDE, largest
from hamlet_trio.agent.checkpoint import Checkpoint, CheckpointMetadata, save_checkpoint
from hamlet_trio.agent.names import NetworkType
from hamlet_trio.agent.networks import build_network
from hamlet_trio.agent.networks.spec import SCALARS
from hamlet_trio.web.process_setup import raise_file_limit
from hamlet_trio.world import ACTIONS, WorldConfig

__all__ = ["measure", "run"]

BARE: Final = "bare app"
LEAST: Final = "least under Trio"
_PEERS: Final = {BARE: serving_bare, LEAST: serving_least}
NETWORKS: Final[tuple[NetworkType, ...]] = ("qnetwork", "relational", "egocentric")
LATE: Final = 0.020
"""Seconds of lateness that 99 % of frames stay below."""
_MOST: Final = 3000
_START: Final = 300
UNLIMITED: Final = {
    "max_sessions": "4000",
    "max_viewers": "4000",
    "max_load": "0",
    "max_sessions_per_client": "4000",
    "max_viewers_per_client": "4000",
    "handshake_rate": "100000",
    "handshake_burst": "10000",
}
"""Settings under which one client may open as many connections as it likes, whatever the load."""


class Contender:
    """Represent one server; `processor_times` has the seconds for a frame at its limit, one a search."""

    def __init__(self, name: str, server: Server) -> None:
        self.server = server
        self.processor_times: list[float] = []
        self._name = name
        self._start, self._stride = _START, WIDE

    def capacity(self, seconds: float) -> float:
        """Search for the largest number of sessions, starting from the last result."""
        with Load() as load:
            players = Players(self.server, load)

            def lateness(count: int) -> float:
                played = players.play(count, seconds)
                tell(
                    f"{self._name}, {count} sessions: 99 % less than {1e3 * played.p99:.1f} ms late, "
                    f"server {played.server_share:.0%}, load generator {played.own_share:.0%}"
                )
                if played.p99 < LATE:
                    self.processor_times[-1:] = [played.processor_time]
                return played.p99

            self.processor_times.append(float("nan"))
            found = largest(lateness, LATE, start=self._start, most=_MOST, stride=self._stride)
        self._start, self._stride = max(found, 1), CLOSE
        return found


def measure(effort: Effort) -> list[Figure]:
    """Return the sessions carried by each contender, and the processor time of a frame at that load."""
    effort.check([*NETWORKS, *_PEERS])
    if effort.only and not any(map(effort.wants, NETWORKS)):
        peers = " and ".join(_PEERS)
        raise UnknownContenderError(f"--only: {peers} send a frame of a network's; name one of them too")
    cores = divide_cores()
    pin(0, cores.others)
    raise_file_limit(_MOST)
    seconds = effort.choose(1.5, 2.5)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        contenders: dict[str, Contender] = {
            name: Contender(name, stack.enter_context(serving_network(name, folder, cores.server)))
            for name in NETWORKS
            if effort.wants(name)
        }
        some = next(iter(contenders.values())).server if contenders else None
        wanted = {name: start for name, start in _PEERS.items() if effort.wants(name)}
        if wanted and some is not None:
            file = folder / "frame"
            file.write_bytes(sample_frame(some))
            for name, start in wanted.items():
                peer = stack.enter_context(start(cores.server, file))
                wait_until_ready(peer.port, peer.process)
                contenders[name] = Contender(name, peer)
        values = alternate(
            {name: partial(contender.capacity, seconds) for name, contender in contenders.items()},
            effort.rounds,
        )
    return _figures(values, contenders)


def _figures(values: dict[str, list[float]], contenders: dict[str, Contender]) -> list[Figure]:
    figures = {
        name: Figure(name=name, unit="sessions", values=found, beside=name in _PEERS)
        for name, found in values.items()
    }
    ratios = [
        ratio(f"{name} / {peer}", figure, figures[peer])
        for peer in _PEERS
        for name, figure in figures.items()
        if peer in figures and name not in _PEERS
    ]
    times = [
        Figure(
            name=f"{name}, processor time of a frame",
            unit="\u00b5s",
            values=times,
            beside=name in _PEERS,
        )
        for name, contender in contenders.items()
        # A round in which not one session was carried has no frame to take the time of.
        if (times := [1e6 * one for one in contender.processor_times if math.isfinite(one)])
    ]
    return [*figures.values(), *ratios, *times]


@contextmanager
def serving_network(name: NetworkType, folder: Path, core: int) -> Iterator[Server]:
    """Serve on this core, with sessions that play an untrained network of this type."""
    models = folder / name
    models.mkdir()
    config = WorldConfig()
    network = build_network(
        name,
        SCALARS + config.width * config.height,
        len(ACTIONS),
        config.width,
        config.height,
        generator=torch.Generator().manual_seed(1),
    )
    checkpoint = Checkpoint(network=network, metadata=CheckpointMetadata(network_type=name))
    save_checkpoint(models / "trained_agent.pt", checkpoint)
    with serving(core, models_dir=str(models), **UNLIMITED) as server:
        wait_until_ready(server.port, server.process)
        yield server


def sample_frame(server: Server) -> bytes:
    """Return a frame as a session sends it after some steps."""
    with Load() as load:
        players = Players(server, load)
        players.play(1, 2.0)
        return players.frame()
