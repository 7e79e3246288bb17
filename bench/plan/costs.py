"""What one session, one viewer and one trial cost, as measured, and how well that predicts two instances."""

from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from bench.suite.machine import Machine

CALIBRATION: Final = Path(__file__).with_name("calibration.json")


class Prediction(Struct, frozen=True, kw_only=True):
    """What was measured of several instances, beside what the costs of a single one predict.

    Attributes:
        instances: how many ran at once.
        sessions: of all instances together.
        measured, predicted: processor seconds a second of all instances together.
    """

    instances: int
    sessions: int
    measured: float
    predicted: float

    @property
    def error(self) -> float:
        """Return how far the prediction is off, as a share of what was measured."""
        return self.predicted / self.measured - 1


class Costs(Struct, frozen=True, kw_only=True):
    """Hold the measured costs, in seconds of one core and bytes.

    Attributes:
        machine: where they were measured.
        fixed_share: of a core, what an instance with sessions takes however few they are.
        session_frame: processor time of one frame of a playing session, with its step and its policy.
        most_sessions: of one core, as `python -m bench sessions` found them; nothing is planned beyond.
        session_bytes: a compact frame of a session on the wire.
        session_memory: of an instance, for one session more.
        viewer_frame: processor time of one frame of a run for one viewer more.
        viewer_bytes: a compact frame of a run on the wire.
        instance_memory: an instance without anybody.
        snapshot: processor time of Redis for keeping one session once.
        snapshot_memory: of Redis, for one session.
        trial: processor time of a lesson of 100 episodes.
        checks: two instances, measured and predicted.
    """

    machine: Machine
    fixed_share: float
    session_frame: float
    most_sessions: int
    session_bytes: float
    session_memory: float
    viewer_frame: float
    viewer_bytes: float
    instance_memory: float
    snapshot: float
    snapshot_memory: float
    trial: float
    checks: list[Prediction]


def read_costs(path: Path = CALIBRATION) -> Costs:
    """Return the costs that were measured last; raises `OSError`, or `ValueError` for another file."""
    return msgspec.json.decode(path.read_bytes(), type=Costs)


def write_costs(costs: Costs, path: Path = CALIBRATION) -> None:
    """Keep measured costs; raises `OSError`."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(costs), indent=2) + b"\n")
