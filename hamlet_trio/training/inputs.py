"""Define the inputs of the training service's task, which owns the state."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import trio

from hamlet_trio.protocol.commands import TrainingCommand
from hamlet_trio.protocol.errors import BadMessageError
from hamlet_trio.training.hub import Viewer
from hamlet_trio.training.link import Message
from hamlet_trio.training.orders import Report, TrainerEvent, decode_message

if TYPE_CHECKING:
    from hamlet_trio.shared.run_log import BeatResult, News


class ViewerCommand(NamedTuple):
    """A viewer's command, or the reason why its message is invalid."""

    viewer: Viewer
    command: TrainingCommand | BadMessageError


class TrainerMessages(NamedTuple):
    """What the trainer told; it tells more once `handled` is set."""

    messages: list[tuple[Message, TrainerEvent | Report | None]]
    handled: trio.Event


class TrainerSilent(NamedTuple):
    """Nothing came from the trainer for so many seconds."""

    seconds: float


class LockReleased(NamedTuple):
    """The data folder's lock was released by its holder.

    `problem` says why that cannot be known, if so.
    """

    problem: OSError | None


class SharedNews(NamedTuple):
    """What other instances told of the run, and ordered; more comes once `handled` is set."""

    news: "News"
    handled: trio.Event


class SharedBeat(NamedTuple):
    """Who trains and watches, as all instances know it; None while Redis does not answer."""

    beat: "BeatResult | None"


class RunLost(NamedTuple):
    """Another instance has taken over the run that this one trains."""


Input = ViewerCommand | TrainerMessages | TrainerSilent | LockReleased | SharedNews | SharedBeat | RunLost
OnInput = Callable[[Input], Awaitable[None]]


class Inputs(NamedTuple):
    """The two ends of the queue of inputs; its bound holds back viewers and the trainer alike."""

    sender: trio.MemorySendChannel[Input]
    receiver: trio.MemoryReceiveChannel[Input]


def decode_messages(
    messages: Sequence[Message],
) -> tuple[list[tuple[Message, TrainerEvent | Report | None]], msgspec.DecodeError | None]:
    """Decode messages up to the first invalid one."""
    decoded: list[tuple[Message, TrainerEvent | Report | None]] = []
    for message in messages:
        try:
            decoded.append((message, decode_message(message)))
        except msgspec.DecodeError as error:
            return decoded, error
    return decoded, None
