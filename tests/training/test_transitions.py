"""What each command means in each state."""

from typing import get_args

import pytest

from hamlet_trio.protocol.commands import Pause, Resume, StartTraining, Status, Stop, TrainingCommand
from hamlet_trio.protocol.errors import BadMessageError, ErrorCode
from hamlet_trio.protocol.messages import TrainingState
from hamlet_trio.training.transitions import Transition, judge

STATES: tuple[TrainingState, ...] = get_args(TrainingState)
OBEY, UNCHANGED = Transition.OBEY, Transition.UNCHANGED
NO_RUN, ALREADY, BUSY = ErrorCode.NOT_TRAINING, ErrorCode.ALREADY_TRAINING, ErrorCode.TRAINING_BUSY

#                  start    pause      resume     stop       status
TABLE: dict[tuple[TrainingState, bool], tuple[Transition | ErrorCode, ...]] = {
    ("idle", False): (OBEY, NO_RUN, NO_RUN, NO_RUN, UNCHANGED),
    ("idle", True): (OBEY, NO_RUN, NO_RUN, NO_RUN, UNCHANGED),
    ("failed", False): (OBEY, NO_RUN, NO_RUN, NO_RUN, UNCHANGED),
    ("starting", False): (ALREADY, OBEY, UNCHANGED, OBEY, UNCHANGED),
    ("starting", True): (ALREADY, UNCHANGED, OBEY, OBEY, UNCHANGED),
    ("running", False): (ALREADY, OBEY, UNCHANGED, OBEY, UNCHANGED),
    ("running", True): (ALREADY, UNCHANGED, OBEY, OBEY, UNCHANGED),
    ("paused", True): (ALREADY, UNCHANGED, OBEY, OBEY, UNCHANGED),
    ("paused", False): (ALREADY, OBEY, UNCHANGED, OBEY, UNCHANGED),
    ("stopping", False): (ALREADY, BUSY, BUSY, UNCHANGED, UNCHANGED),
    ("stopping", True): (ALREADY, BUSY, BUSY, UNCHANGED, UNCHANGED),
}
COMMANDS: tuple[TrainingCommand, ...] = (StartTraining(), Pause(), Resume(), Stop(), Status())


def test_the_table_has_every_state() -> None:
    assert {state for state, _ in TABLE} == set(STATES)


@pytest.mark.parametrize(("state", "wants_paused"), TABLE)
@pytest.mark.parametrize("column", range(5), ids=["start", "pause", "resume", "stop", "status"])
def test_command_in_state(state: TrainingState, wants_paused: bool, column: int) -> None:
    expected, command = TABLE[state, wants_paused][column], COMMANDS[column]
    if isinstance(expected, Transition):
        assert judge(state, wants_paused, command) is expected
    else:
        with pytest.raises(BadMessageError) as caught:
            judge(state, wants_paused, command)
        assert caught.value.code is expected
        assert caught.value.command == command.__struct_config__.tag
