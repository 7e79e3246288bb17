"""What each command means in each state."""

from typing import get_args

import pytest

from hamlet_trio.protocol.commands import Pause, Resume, StartTraining, Status, Stop, TrainingCommand
from hamlet_trio.protocol.errors import BadMessageError, ErrorCode
from hamlet_trio.protocol.messages import TrainingState
from hamlet_trio.training.transitions import Phase, after_command

STATES: tuple[TrainingState, ...] = get_args(TrainingState)
OBEY, UNCHANGED = True, False
NO_RUN, ALREADY, BUSY = ErrorCode.NOT_TRAINING, ErrorCode.ALREADY_TRAINING, ErrorCode.TRAINING_BUSY

#                  start    pause      resume     stop       status
TABLE: dict[tuple[TrainingState, bool], tuple[bool | ErrorCode, ...]] = {
    ("idle", False): (OBEY, NO_RUN, NO_RUN, NO_RUN, UNCHANGED),
    ("idle", True): (OBEY, NO_RUN, NO_RUN, NO_RUN, UNCHANGED),
    ("failed", False): (OBEY, NO_RUN, NO_RUN, NO_RUN, UNCHANGED),
    ("starting", False): (ALREADY, OBEY, UNCHANGED, OBEY, UNCHANGED),
    ("starting", True): (ALREADY, UNCHANGED, OBEY, OBEY, UNCHANGED),
    ("running", False): (ALREADY, OBEY, UNCHANGED, OBEY, UNCHANGED),
    ("running", True): (ALREADY, UNCHANGED, OBEY, OBEY, UNCHANGED),
    ("paused", True): (ALREADY, UNCHANGED, OBEY, OBEY, UNCHANGED),
    ("paused", False): (ALREADY, OBEY, UNCHANGED, OBEY, UNCHANGED),
    ("unresponsive", False): (ALREADY, BUSY, BUSY, OBEY, UNCHANGED),
    ("unresponsive", True): (ALREADY, BUSY, BUSY, OBEY, UNCHANGED),
    ("stopping", False): (ALREADY, BUSY, BUSY, UNCHANGED, UNCHANGED),
    ("stopping", True): (ALREADY, BUSY, BUSY, UNCHANGED, UNCHANGED),
}
COMMANDS: tuple[TrainingCommand, ...] = (StartTraining(), Pause(), Resume(), Stop(), Status())


def test_the_table_has_every_state() -> None:
    assert {state for state, _ in TABLE} == set(STATES)


@pytest.mark.parametrize(("state", "pause_requested"), TABLE)
@pytest.mark.parametrize("column", range(5), ids=["start", "pause", "resume", "stop", "status"])
def test_command_in_state(state: TrainingState, pause_requested: bool, column: int) -> None:
    expected, command = TABLE[state, pause_requested][column], COMMANDS[column]
    phase = Phase(state, pause_requested)
    if isinstance(expected, bool):
        assert (after_command(phase, command) != phase) is expected
    else:
        with pytest.raises(BadMessageError) as caught:
            after_command(phase, command)
        assert caught.value.code is expected
        assert caught.value.command == command.__struct_config__.tag
