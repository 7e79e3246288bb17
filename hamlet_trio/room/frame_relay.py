"""What is sent of followed sessions to the instances where their followers are."""

from typing import Final

import msgspec

from hamlet_trio.connection import SharedSession
from hamlet_trio.room.entries import Relayed

MAX_FRAMES: Final = 4
MAX_EVENTS: Final = 32


class FrameRelay:
    """Hold what followed sessions sent since the last portion, for the instances where they are followed.

    Never waits. Bounds: for each session the newest `MAX_FRAMES` frames and `MAX_EVENTS` other messages;
    older ones go. So a slow Redis, or none, costs followers at other instances frames, and nobody anything
    else: the next frame is a full one.
    """

    def __init__(self) -> None:
        self._waiting: dict[int, list[Relayed]] = {}
        self._targets: dict[int, frozenset[str]] = {}

    def aim(self, number: int, instances: frozenset[str]) -> frozenset[str]:
        """Send a member's session to these instances from now on; return those that it was not sent to."""
        before = self._targets.pop(number, frozenset())
        if instances:
            self._targets[number] = instances
        else:
            self._waiting.pop(number, None)
        return instances - before

    def put(self, number: int, claim: str, text: str, *, is_frame: bool) -> None:
        """Add a message of a member's session, in place of the oldest of its kind if too many wait."""
        waiting = self._waiting.setdefault(number, [])
        waiting.append(Relayed(number, claim, is_frame, text.encode()))
        same = [index for index, message in enumerate(waiting) if message.is_frame == is_frame]
        if len(same) > (MAX_FRAMES if is_frame else MAX_EVENTS):
            del waiting[same[0]]

    def take(self) -> dict[str, bytes]:
        """Take a portion for each instance that has followers of what waits."""
        taken, self._waiting = self._waiting, {}
        messages: dict[str, list[Relayed]] = {}
        for number, waiting in taken.items():
            for instance in self._targets.get(number, ()):
                messages.setdefault(instance, []).extend(waiting)
        return {instance: msgspec.msgpack.encode(each) for instance, each in messages.items()}


class RemoteSession(SharedSession):
    """A session at another instance, as far as it is sent here: while somebody here follows it."""

    def __init__(self) -> None:
        super().__init__("")

    def forget_frame(self) -> None:
        """Forget the newest frame, which grows old while nobody here follows."""
        self._last = None
