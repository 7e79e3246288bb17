"""What a command means in each state of the run: the table of docs/lifetimes.md as a function."""

from enum import Enum, auto

from hamlet_trio.protocol.commands import Pause, Resume, StartTraining, Status, Stop, TrainingCommand
from hamlet_trio.protocol.errors import BadMessageError, ErrorCode
from hamlet_trio.protocol.messages import TrainingState


class Transition(Enum):
    """What is to be done with a command that is allowed."""

    OBEY = auto()  # carry it out; everyone hears of it
    UNCHANGED = auto()  # what it asks for is so already: the sender alone hears the status


def judge(state: TrainingState, wants_paused: bool, command: TrainingCommand) -> Transition:
    """Decide on a command.

    `wants_paused` is whether the run is paused or was told to pause: a pause counts from the moment it was
    accepted, so that pause and resume may follow one another faster than the learner confirms them, and
    may come while the run is still starting. Raises `BadMessageError` for a command that is refused.
    """
    over = state in ("idle", "failed")
    match command:
        case Status():
            return Transition.UNCHANGED
        case StartTraining():
            if not over:
                raise BadMessageError(
                    ErrorCode.ALREADY_TRAINING,
                    f"A run is {state} already; stop it first, or watch it.",
                    command="start_training",
                )
            return Transition.OBEY
        case Stop() if state == "stopping":
            return Transition.UNCHANGED
        case _ if over:
            name = str(command.__struct_config__.tag)
            raise BadMessageError(
                ErrorCode.NOT_TRAINING,
                f"No run is there to {name}; start one with start_training.",
                command=name,
            )
        case Pause() | Resume() if state == "stopping":
            name = str(command.__struct_config__.tag)
            raise BadMessageError(
                ErrorCode.TRAINING_BUSY, "The run is stopping; start another one afterwards.", command=name
            )
        case Pause():
            return Transition.UNCHANGED if wants_paused else Transition.OBEY
        case Resume():
            return Transition.OBEY if wants_paused else Transition.UNCHANGED
        case Stop():
            return Transition.OBEY
