"""Read one connection's commands: decode them, and bound their rate with a token bucket."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import trio

from hamlet_trio.connection.read_batch import ReadBatch
from hamlet_trio.connection.transport import Transport
from hamlet_trio.protocol.command_decoder import CommandDecoder
from hamlet_trio.protocol.errors import BadMessageError, ErrorCode
from hamlet_trio.settings import Settings

Command = TypeVar("Command")


Permit = Callable[[Any], BadMessageError | None]
"""Return why the sender may not give a decoded command, or None if it may."""


def permit_all(command: Any) -> None:
    """Permit every command to every client."""


class AbuseError(Exception):
    """The client went on long after the rate limit refused it; its connection closes with 1008."""


class TokenBucket:
    """Allow `rate` takes a second in the long run and `burst` at once, on Trio's clock."""

    def __init__(self, rate: float, burst: int) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = float(burst)
        self._updated = trio.current_time()

    def take(self) -> bool:
        """Take one token if there is one; return whether there was."""
        self._refill()
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    @property
    def has(self) -> bool:
        """Whether there is one to take."""
        self._refill()
        return self._tokens >= 1

    def give_back(self) -> None:
        """Undo a take."""
        self._tokens = min(self._burst, self._tokens + 1)

    @property
    def full(self) -> bool:
        """Whether the bucket is full again."""
        self._refill()
        return self._tokens >= self._burst

    def _refill(self) -> None:
        now = trio.current_time()
        self._tokens = min(self._burst, self._tokens + (now - self._updated) * self._rate)
        self._updated = now


class CommandStream(Generic[Command]):
    """The commands of one connection, in order, each decoded or refused.

    Memory: it holds no queue; commands wait in the transport. A frame that is refused, for its content, its
    rate or its sender, comes back as a `BadMessageError` value, so that answers keep the order of commands.
    """

    def __init__(
        self,
        transport: Transport,
        decoder: CommandDecoder[Command],
        settings: Settings,
        permit: Permit = permit_all,
    ) -> None:
        self._transport = transport
        self._decoder = decoder
        self._permit = permit
        self._bucket = TokenBucket(settings.command_rate, settings.command_burst)
        self._rate = settings.command_rate
        self._patience = settings.command_abuse
        self._refused = 0

    async def receive(self) -> Command | BadMessageError:
        """Return the next command, or why the next frame is none.

        Raises `AbuseError` once more than `command_abuse` frames exceeded the rate limit while the bucket
        never filled up again: a client that meant no harm would have paused.
        """
        frame = await self._transport.receive()
        if not self._admit():
            return self._refuse()
        try:
            command = self._decoder.decode(frame)
        except BadMessageError as error:
            return error
        return self._permit(command) or command

    def carry_out_with(self, carry_out: Callable[[Command], bool], batch: ReadBatch) -> None:
        """Have a function carry out commands as they come, without a task's being woken, where it can.

        It returns whether it did, and must neither wait nor raise. `receive` returns all others, and
        whatever is refused. While it carries out all, they come with those of the others in the `batch`.
        """

        def take(text: str) -> bool:
            if not self._admit():
                return False
            try:
                command = self._decoder.decode(text)
            except BadMessageError:
                command = None
            if command is not None and self._permit(command) is None and carry_out(command):
                return True
            self._bucket.give_back()
            return False

        self._transport.take_with(take, batch)

    def _admit(self) -> bool:
        """Count a frame; return whether the rate allows it."""
        if self._refused and self._bucket.full:
            self._refused = 0
        return self._bucket.take()

    def _refuse(self) -> BadMessageError:
        self._refused += 1
        if self._refused > self._patience:
            raise AbuseError(f"{self._refused} commands exceeded the rate limit without a calm between")
        return BadMessageError(
            ErrorCode.RATE_LIMITED,
            f"Send at most {self._rate:g} commands a second; this one was not carried out.",
        )
