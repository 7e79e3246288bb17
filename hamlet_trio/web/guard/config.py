"""What the guard needs to know, carried by Hypercorn's own configuration object to every connection."""

from collections.abc import Callable
from dataclasses import dataclass

from hypercorn.config import Config
from hypercorn.events import Event
from msgspec import Struct

from hamlet_trio.settings import Settings


class ConnectionLimits(Struct, frozen=True):
    """What one connection may do: bytes a message, seconds without reading or without a sign of life."""

    max_message_bytes: int
    send_timeout: float
    half_open_timeout: float
    compression: bool

    @classmethod
    def from_settings(cls, settings: Settings) -> "ConnectionLimits":
        """Those an operator has set."""
        return cls(**{name: getattr(settings, name) for name in cls.__struct_fields__})


@dataclass
class ConnectionCounts:
    """What has become of the connections so far; read by `/metrics`.

    `failed` counts those that an error inside the server ended, `stalled` those dropped because their
    client stopped reading, `oversized` those closed for a message over the limit, `malformed` those refused
    before they reached the app.
    """

    opened: int = 0
    closed: int = 0
    failed: int = 0
    stalled: int = 0
    oversized: int = 0
    malformed: int = 0


class GuardedConfig(Config):
    """Hypercorn's configuration with the guard's limits and counts; every guarded connection needs it."""

    def __init__(self, limits: ConnectionLimits, counts: ConnectionCounts) -> None:
        super().__init__()
        self.limits = limits
        self.counts = counts
        self.alpn_protocols = ["http/1.1"]
        self.websocket_max_message_size = limits.max_message_bytes
        self.include_server_header = False

    def adopt(self, other: Config) -> None:
        """Take over what was set on another configuration, such as the `hypercorn` command's own."""
        for name, value in vars(other).items():
            setattr(self, name, value)
        self.alpn_protocols = ["http/1.1"]


def guarded(config: Config) -> GuardedConfig:
    """The same configuration, as the one the guard needs."""
    if not isinstance(config, GuardedConfig):
        raise TypeError("The connection guard is installed, so Hypercorn must be given a GuardedConfig.")
    return config


@dataclass
class WriterWanted(Event):
    """How a WebSocket asks its connection for the shortest way to the kernel, from beneath its protocol."""

    write_nowait: Callable[[bytes], bool] | None = None


class ConnectionEnded(Exception):  # noqa: N818  # an ending, mostly an orderly one
    """The last answer of a connection is sent; nothing that still arrives on it is read."""
