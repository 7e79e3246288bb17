"""The parts of every WebSocket connection: a transport, rate-limited commands, a bounded queue."""

from hamlet_trio.connection.commands import AbuseError, CommandStream, Permit, TokenBucket, permit_all
from hamlet_trio.connection.message_queue import MessageQueue, QueueFullError, QueueStatistics
from hamlet_trio.connection.read_batch import ReadBatch, ReadNow
from hamlet_trio.connection.shared_sessions import Receive, SharedSession, SharedSessions, hash_of
from hamlet_trio.connection.subscriber import Closing, Subscriber
from hamlet_trio.connection.transport import NoRoomError, OverloadedError, ServerFullError, Transport

__all__ = [
    "AbuseError",
    "Closing",
    "CommandStream",
    "MessageQueue",
    "NoRoomError",
    "OverloadedError",
    "Permit",
    "QueueFullError",
    "QueueStatistics",
    "ReadBatch",
    "ReadNow",
    "Receive",
    "ServerFullError",
    "SharedSession",
    "SharedSessions",
    "Subscriber",
    "TokenBucket",
    "Transport",
    "hash_of",
    "permit_all",
]
