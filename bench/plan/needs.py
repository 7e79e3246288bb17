"""What a number of watchers needs: instances, machines, bandwidth, Redis, and what is short first."""

import math
from typing import Final, Literal

from msgspec import Struct

from bench.plan.costs import Costs
from bench.plan.simulation import FRAMES_A_SECOND, HEADROOM, capacity

WATCHERS: Final = (100, 10_000, 1_000_000)
RUN_FRAMES: Final = 20.0
"""Frames a second of a run that is shown."""
PACKET: Final = 66
"""Bytes around a frame on Ethernet with IPv4 and TCP; TLS adds some 22 more, which are left out."""

SNAPSHOT_EVERY: Final = 2.0
"""Seconds between two snapshots of a session, the interval of `RedisShelf`."""

# The machine that is planned with: a usual server.
CORES: Final = 16
MEMORY: Final = 64 * 2**30
LINK: Final = 10e9 / 8
"""Bytes a second: 10 Gbit/s."""
FILES: Final = 65_536
"""Connections of one nginx, each of which takes two open files of 131,072."""

Kind = Literal["sessions", "viewers"]


class Needs(Struct, frozen=True, kw_only=True):
    """What so many watchers need.

    Attributes:
        instances: each with a core to itself, one more than the load asks for.
        machines: of `CORES` cores, `MEMORY` and a link of `LINK`.
        bandwidth: bytes a second, out of all machines.
        redis_share: of the one core that a Redis has.
        redis_memory: bytes.
        redis_bandwidth: bytes a second, out of Redis.
        gateways: machines that run nginx.
        first: what a single machine of these, with one Redis, runs out of first, and at how many watchers.
    """

    kind: Kind
    watchers: int
    instances: int
    machines: int
    bandwidth: float
    redis_share: float
    redis_memory: float
    redis_bandwidth: float
    gateways: int
    first: tuple[str, int]


def needs(costs: Costs, kind: Kind, watchers: int) -> Needs:
    """Return what so many playing sessions need, or so many viewers of one run."""
    per_instance = sessions_a_core(costs) if kind == "sessions" else viewers_a_core(costs)
    instances = math.ceil(watchers / per_instance) + 1
    rate = FRAMES_A_SECOND if kind == "sessions" else RUN_FRAMES
    size = (costs.session_bytes if kind == "sessions" else costs.viewer_bytes) + PACKET
    memory = instances * costs.instance_memory + watchers * costs.session_memory
    bandwidth = watchers * rate * size
    redis_bandwidth = 0.0 if kind == "sessions" else instances * rate * size
    return Needs(
        kind=kind,
        watchers=watchers,
        instances=instances,
        machines=max(
            math.ceil(instances / CORES), math.ceil(memory / MEMORY), math.ceil(bandwidth / LINK / HEADROOM)
        ),
        bandwidth=bandwidth,
        redis_share=watchers * costs.snapshot / SNAPSHOT_EVERY if kind == "sessions" else 0.0,
        redis_memory=watchers * costs.snapshot_memory if kind == "sessions" else 0.0,
        redis_bandwidth=redis_bandwidth,
        gateways=max(math.ceil(watchers / FILES), math.ceil(bandwidth / LINK / HEADROOM)),
        first=min(limits(costs, kind).items(), key=lambda limit: limit[1]),
    )


def sessions_a_core(costs: Costs) -> int:
    """Return how many playing sessions an instance carries: as simulated, and no more than was measured."""
    return min(costs.most_sessions, capacity(frame=costs.session_frame, fixed_share=costs.fixed_share))


def viewers_a_core(costs: Costs) -> int:
    """Return how many viewers of one run an instance carries.

    All of them are due at the same moment, so that the last one's lateness is what sending to all takes.
    """
    in_time = int(0.050 / costs.viewer_frame)
    in_share = int((HEADROOM - costs.fixed_share) / (RUN_FRAMES * costs.viewer_frame))
    return min(in_time, in_share)


def limits(costs: Costs, kind: Kind) -> dict[str, int]:
    """Return at how many watchers each part of one machine, with one nginx and one Redis, is full."""
    per_core = sessions_a_core(costs) if kind == "sessions" else viewers_a_core(costs)
    rate = FRAMES_A_SECOND if kind == "sessions" else RUN_FRAMES
    size = (costs.session_bytes if kind == "sessions" else costs.viewer_bytes) + PACKET
    found = {
        # One core for nginx, Redis and the system, and one instance to spare.
        "processor": (CORES - 2) * per_core,
        "memory": int((MEMORY - CORES * costs.instance_memory) / costs.session_memory),
        "link": int(HEADROOM * LINK / (rate * size)),
        "connections": FILES,
    }
    if kind == "sessions":
        found["Redis"] = int(HEADROOM * SNAPSHOT_EVERY / costs.snapshot)
    return found


def trials_an_hour(costs: Costs, cores: int) -> float:
    """Return how many lessons of 100 episodes so many cores train in an hour."""
    return 3600 * cores / costs.trial
