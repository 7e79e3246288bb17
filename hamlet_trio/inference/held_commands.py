"""Commands that wait until a model, a recording or a world that was asked for before them is loaded."""

from collections import deque
from typing import TYPE_CHECKING, Final

from hamlet_trio.inference.load_queue import MAX_WAITING, too_many_loads
from hamlet_trio.inference.refusals import refusal
from hamlet_trio.protocol import commands
from hamlet_trio.protocol.errors import BadMessageError, ErrorCode

if TYPE_CHECKING:
    from hamlet_trio.inference.load_queue import SessionEvent

QUEUE_FULL: Final = refusal(ErrorCode.RATE_LIMITED)
_LOADS: Final = commands.LoadModel | commands.LoadRecording | commands.SetWorld


class HeldCommands:
    """A first-in, first-out queue of at most `limit` events, of which `MAX_WAITING` may be loads."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held: deque[SessionEvent] = deque()

    def __bool__(self) -> bool:
        return bool(self._held)

    def take(self) -> "SessionEvent":
        """Take the oldest event."""
        return self._held.popleft()

    def put(self, event: "SessionEvent") -> BadMessageError | None:
        """Hold an event back; return why not, if there is no room: `rate_limited` or `too_many_loads`."""
        if isinstance(event, _LOADS) and sum(isinstance(held, _LOADS) for held in self._held) >= MAX_WAITING:
            return too_many_loads(event)
        if len(self._held) >= self._limit:
            return event if isinstance(event, BadMessageError) else QUEUE_FULL
        self._held.append(event)
        return None

    def withdraw_steps(self) -> None:
        """Withdraw each `play` and `step`."""
        self._held = deque(held for held in self._held if not isinstance(held, commands.Play | commands.Step))
