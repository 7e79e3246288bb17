"""What the driver process of a Ray cluster is ordered, and what it tells, as MessagePack over its pipes."""

from typing import Final

import msgspec
from msgspec import Struct

from hamlet_trio.training.orders import BeginOrder


class ConnectedReport(Struct, frozen=True, tag="connected"):
    """The driver is connected to a cluster of so many nodes, which have so many cores in all."""

    nodes: int
    cores: int


class RefusedReport(Struct, frozen=True, tag="refused"):
    """The cluster cannot be used, or is lost; the driver ends. `reason` is a sentence."""

    reason: str


class TrialReport(Struct, frozen=True, tag="trial"):
    """A message of the trainer of one trial, of this kind of the link."""

    run_id: str
    kind: int
    payload: bytes


class TrialOverReport(Struct, frozen=True, tag="over"):
    """The last message of one trial was sent."""

    run_id: str


DriverReport = ConnectedReport | RefusedReport | TrialReport | TrialOverReport

_begins: Final[msgspec.msgpack.Decoder[BeginOrder]] = msgspec.msgpack.Decoder(BeginOrder)
_reports: Final[msgspec.msgpack.Decoder[DriverReport]] = msgspec.msgpack.Decoder(DriverReport)


def decode_begin(payload: bytes) -> BeginOrder:
    """Return the trial to begin; raises `msgspec.DecodeError` for anything else."""
    return _begins.decode(payload)


def decode_driver_report(payload: bytes) -> DriverReport:
    """Return what the driver says; raises `msgspec.DecodeError` for anything else."""
    return _reports.decode(payload)
