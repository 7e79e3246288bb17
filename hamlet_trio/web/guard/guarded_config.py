"""Carry the guard's limits and counts to every connection in Hypercorn's configuration object."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from hypercorn.config import Config
from hypercorn.events import Event
from msgspec import Struct

from hamlet_trio.connection import ReadBatch
from hamlet_trio.settings import Settings

PING_INTERVAL: Final = 25.0
"""Seconds between two pings; proxies end a WebSocket that is silent for 30 s or 60 s."""


class ConnectionLimits(Struct, frozen=True):
    """The limits of one connection: bytes per message, seconds without reading or a sign of life."""

    max_message_bytes: int
    send_timeout: float
    half_open_timeout: float
    compression: bool

    @classmethod
    def from_settings(cls, settings: Settings) -> "ConnectionLimits":
        """Return the limits of these settings."""
        return cls(**{name: getattr(settings, name) for name in cls.__struct_fields__})


@dataclass
class ConnectionCounts:
    """Count the outcomes of connections, for `/metrics`.

    `failed` connections were ended by an error in the server, `stalled` ones because the client stopped
    reading, `oversized` ones for a message over the limit; `malformed` ones were refused before the app.
    """

    opened: int = 0
    closed: int = 0
    failed: int = 0
    stalled: int = 0
    oversized: int = 0
    malformed: int = 0


class GuardedConfig(Config):
    """Hold Hypercorn's configuration together with the guard's limits and counts."""

    def __init__(self, limits: ConnectionLimits, counts: ConnectionCounts) -> None:
        super().__init__()
        self.limits = limits
        self.counts = counts
        self.alpn_protocols = ["http/1.1"]
        self.websocket_max_message_size = limits.max_message_bytes
        self.websocket_ping_interval = PING_INTERVAL
        self.include_server_header = False

    def adopt(self, other: Config) -> None:
        """Copy the options of another configuration, such as the `hypercorn` command's own."""
        for name, value in vars(other).items():
            setattr(self, name, value)
        self.alpn_protocols = ["http/1.1"]


def guarded(config: Config) -> GuardedConfig:
    """Return the configuration as the guard's type; raise `TypeError` if it is not."""
    if not isinstance(config, GuardedConfig):
        raise TypeError("The connection guard is installed, so Hypercorn must be given a GuardedConfig.")
    return config


class InputTaker(Protocol):
    """A WebSocket that takes input before Hypercorn does."""

    @property
    def batch(self) -> ReadBatch | None:
        """With whom the connection is read once all that has come is taken; None: by itself."""
        ...

    def take_nowait(self, data: bytes) -> bytes:
        """Take what can be taken of bytes that arrived, without waiting; return the rest."""
        ...


@dataclass
class DirectPath(Event):
    """Connect a WebSocket with its connection, past the layers between them.

    `taker` is the WebSocket. `write_nowait` is the connection's, for bytes to be sent.
    """

    taker: InputTaker
    write_nowait: Callable[[bytes], bool] | None = None


class ConnectionEnded(Exception):  # noqa: N818  # mostly an orderly end, not an error
    """The last answer of a connection was sent; further input is not read."""
