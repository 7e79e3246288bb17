"""What every WebSocket connection has: a transport, rate-limited commands, an outbox."""

from hamlet_trio.connection.commands import AbuseError, CommandStream, Permit, TokenBucket, permit_all
from hamlet_trio.connection.outbox import Outbox, OutboxFullError, OutboxStatistics
from hamlet_trio.connection.transport import ServerFullError, Transport

__all__ = [
    "AbuseError",
    "CommandStream",
    "Outbox",
    "OutboxFullError",
    "OutboxStatistics",
    "Permit",
    "ServerFullError",
    "TokenBucket",
    "Transport",
    "permit_all",
]
