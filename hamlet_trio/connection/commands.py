"""Reading one connection's commands: decoding, and a token bucket that bounds their rate."""

from typing import Generic, TypeVar

import trio

from hamlet_trio.connection.transport import Transport
from hamlet_trio.protocol.commands import CommandDecoder
from hamlet_trio.protocol.errors import BadMessageError, ErrorCode
from hamlet_trio.settings import Settings

Command = TypeVar("Command")


class AbuseError(Exception):
    """The client went on long after the rate limit refused it; its connection closes with 1008."""


class TokenBucket:
    """Allows `rate` takes a second in the long run and `burst` at once; times are those of `trio.current_time`."""

    def __init__(self, rate: float, burst: int) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = float(burst)
        self._updated = trio.current_time()

    def take(self) -> bool:
        """Take one token if there is one."""
        now = trio.current_time()
        self._tokens = min(self._burst, self._tokens + (now - self._updated) * self._rate)
        self._updated = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class CommandStream(Generic[Command]):
    """The commands of one connection, in order, each decoded or refused.

    Memory: holds no queue; what waits, waits in the transport. A frame that is refused, for its content or
    for the rate, comes back as a `BadMessageError` value, so that answers keep the order of commands.
    """

    def __init__(self, transport: Transport, decoder: CommandDecoder[Command], settings: Settings) -> None:
        self._transport = transport
        self._decoder = decoder
        self._bucket = TokenBucket(settings.command_rate, settings.command_burst)
        self._rate = settings.command_rate
        self._patience = settings.command_abuse
        self._refused_in_a_row = 0

    async def receive(self) -> Command | BadMessageError:
        """The next command, or why the next frame is none.

        Raises `AbuseError` once `command_abuse` frames in a row exceeded the rate limit.
        """
        frame = await self._transport.receive()
        if not self._bucket.take():
            return self._refuse()
        self._refused_in_a_row = 0
        try:
            return self._decoder.decode(frame)
        except BadMessageError as error:
            return error

    def _refuse(self) -> BadMessageError:
        self._refused_in_a_row += 1
        if self._refused_in_a_row > self._patience:
            raise AbuseError(f"{self._refused_in_a_row} commands in a row exceeded the rate limit")
        return BadMessageError(
            ErrorCode.RATE_LIMITED,
            f"Send at most {self._rate:g} commands a second; this one was not carried out.",
        )
