"""The parts of every WebSocket connection: a transport, rate-limited commands, a bounded queue."""

from hamlet_trio.connection.commands import AbuseError, CommandStream, Permit, TokenBucket, permit_all
from hamlet_trio.connection.message_queue import MessageQueue, QueueFullError, QueueStatistics
from hamlet_trio.connection.transport import ServerFullError, Transport

__all__ = [
    "AbuseError",
    "CommandStream",
    "MessageQueue",
    "Permit",
    "QueueFullError",
    "QueueStatistics",
    "ServerFullError",
    "TokenBucket",
    "Transport",
    "permit_all",
]
