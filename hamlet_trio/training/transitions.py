"""The states of a run, and how commands and reports change them: docs/lifetimes.md as functions."""

from typing import NamedTuple

from hamlet_trio.protocol.commands import (
    Pause,
    Resume,
    SetShow,
    StartSweep,
    StartTraining,
    Status,
    Stop,
    TrainingCommand,
)
from hamlet_trio.protocol.errors import BadMessageError, ErrorCode
from hamlet_trio.protocol.messages import TrainingState
from hamlet_trio.training.orders import PausedReport, ResumedReport, StartedReport


class Phase(NamedTuple):
    """The state that viewers see, and whether a pause was accepted last.

    A pause counts from the moment it is accepted, so that pause and resume may follow one another faster than
    the learner confirms them, and may come while the run is still starting.
    """

    state: TrainingState
    pause_requested: bool = False

    @property
    def is_training(self) -> bool:
        """Whether a run is on."""
        return self.state not in ("idle", "failed")


def after_command(phase: Phase, command: TrainingCommand) -> Phase:
    """Return the phase that a command leads to; the same one if it asks for what is so already.

    Raises `BadMessageError` for a command that this phase does not allow.
    """
    match command:
        case Status():
            return phase
        case StartTraining() | StartSweep():
            if phase.is_training:
                raise BadMessageError(
                    ErrorCode.ALREADY_TRAINING,
                    f"A run is {phase.state} already; stop it first, or watch it.",
                    command=str(command.__struct_config__.tag),
                )
            return Phase("starting")
        case _ if not phase.is_training:
            name = str(command.__struct_config__.tag)
            to_do = "show" if isinstance(command, SetShow) else name
            raise BadMessageError(
                ErrorCode.NOT_TRAINING,
                f"There is no run to {to_do}; start one with start_training.",
                command=name,
            )
        case SetShow() if phase.state != "stopping":
            return phase
        case Stop():
            return phase._replace(state="stopping")
        case Pause() | Resume() | SetShow() if phase.state in ("stopping", "unresponsive"):
            sentence = "The run is stopping; start another one afterwards."
            if phase.state == "unresponsive":
                sentence = "The trainer does not respond; wait, or stop the run."
            name = str(command.__struct_config__.tag)
            raise BadMessageError(ErrorCode.TRAINING_BUSY, sentence, command=name)
        case _:
            return phase._replace(pause_requested=isinstance(command, Pause))


def after_silence(phase: Phase) -> Phase:
    """Return the phase after nothing was heard from the trainer for too long."""
    return phase if phase.state == "stopping" else phase._replace(state="unresponsive")


def after_heartbeat(phase: Phase) -> Phase:
    """Return the phase after a trainer that did not respond does so again."""
    if phase.state != "unresponsive":
        return phase
    return phase._replace(state="paused" if phase.pause_requested else "running")


def after_report(phase: Phase, report: StartedReport | PausedReport | ResumedReport) -> Phase:
    """Return the phase that a trainer's report leads to."""
    if phase.state == "stopping":
        return phase
    match report:
        case StartedReport() if phase.pause_requested:  # the confirmation of the pause follows
            return phase
        case PausedReport():
            return phase._replace(state="paused")
        case StartedReport() | ResumedReport():
            return phase._replace(state="running")
