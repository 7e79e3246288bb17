"""What instances keep in Redis for each other, as targets: any bytes end in a value or in the one error."""

from contextlib import suppress
from typing import Any, Final

import msgspec
import structlog

from hamlet_trio.inference.session_snapshot import (
    EpisodeFacts,
    LastStep,
    ModelFacts,
    SessionSnapshot,
    UnreadableSnapshotError,
    decode_snapshot,
    encode_snapshot,
)
from hamlet_trio.protocol.frames import PolicyView
from hamlet_trio.protocol.messages import encode
from hamlet_trio.protocol.room_commands import Draw
from hamlet_trio.room.entries import (
    Claimed,
    Commanded,
    Entered,
    MemberLife,
    Relayed,
    Replica,
    read_entry,
    read_portion,
    read_replica,
)
from hamlet_trio.room.room import RoomState
from hamlet_trio.training.hub import Hub
from hamlet_trio.training.run_status import RunStatus
from hamlet_trio.world import WorldConfig
from tests.fuzz.file_targets import PARAMETERS, RUN
from tests.history.support import episode_complete
from tests.recording.support import start_of


def session_snapshot(data: bytes) -> None:
    """A stored session: one whose parts fit each other, or `UnreadableSnapshotError`."""
    try:
        found = decode_snapshot(data)
    except UnreadableSnapshotError:
        return
    assert found.view.agent < len(found.episode.cells)
    assert found.human is None or 0 <= found.human < len(found.episode.cells)


def _status() -> RunStatus:
    quiet = structlog.wrap_logger(structlog.ReturnLogger(), processors=[])
    return RunStatus(Hub(max_events=16, max_frames=2, on_watched=lambda _: None), quiet)


def run_snapshot(data: bytes) -> None:
    """The state of a run that another instance trains."""
    status = _status()
    try:
        status.restore(data)
    except msgspec.DecodeError:
        return
    for message in (status.status(), *status.history()):
        encode(message)


def run_message(data: bytes) -> None:
    """A message of a run that another instance trains, read as text."""
    status = _status()
    try:
        status.follow(data.decode(errors="surrogateescape"), 0.0)
    except msgspec.DecodeError:
        return
    for message in (status.status(), *status.history()):
        encode(message)


def room_entry(data: bytes) -> None:
    """An entry of the rooms' log."""
    with suppress(msgspec.DecodeError):
        msgspec.json.encode(read_entry(data))


def room_replica(data: bytes) -> None:
    """The state of all rooms."""
    with suppress(msgspec.DecodeError):
        msgspec.json.encode(read_replica(data))


def room_portion(data: bytes) -> None:
    """Messages of sessions that are followed at another instance."""
    with suppress(msgspec.DecodeError):
        for message in read_portion(data):
            message.text.decode()


def _session() -> SessionSnapshot:
    config = WorldConfig(num_agents=2)
    state = start_of(config)
    episode = EpisodeFacts(
        number=3,
        over=False,
        start=None,
        actions=bytes((0, 1, 2, 3)),
        cells=state.positions,
        meters=state.meters,
        failures=state.failures,
        random=state.random,
        returns=(1.0, 2.0),
        visits=[("1,2", 3)],
        last=LastStep(actions=[1, 2], rewards=[0.5, 0.5], components=[None, None], waiting_for=[-1, -1]),
        lived=(2, 2),
    )
    models = [ModelFacts("a.pt", "0" * 64), None]
    return SessionSnapshot(
        1, models, None, False, episode, playing=True, human=0, speed=1.0, view=PolicyView(), replay=None
    )


ENTERED: Final = Entered(7, "fox", "red", False, None, "4827", "here", "a")
DRAWN: Final = Commanded(7, Draw(id="a", points=[[1.0, 2.0]]), "b")
CLAIMED: Final = Claimed(7, "voter", "0" * 8, "0" * 64, "c")
REPLICA: Final = Replica(
    [RoomState("4827", 3, [], True, None, {"7": 1})],
    [ENTERED],
    ["a", "b"],
    [MemberLife(7, "c", "here", None, False)],
)


def _told() -> bytes:
    status = _status()
    status.begin(RUN, PARAMETERS)
    return status.snapshot(None)


def seeds() -> dict[str, list[bytes]]:
    """Something sound for each target to begin from."""
    return {
        "session-snapshots": [encode_snapshot(_session())],
        "run-snapshots": [_told()],
        "run-messages": [encode(_status().status()).encode(), encode(episode_complete(3)).encode()],
        "room-entries": [msgspec.json.encode(entry) for entry in (ENTERED, DRAWN, CLAIMED)],
        "room-replicas": [msgspec.json.encode(REPLICA)],
        "room-portions": [msgspec.msgpack.encode([Relayed(7, "c", True, b'{"type":"state_update"}')])],
    }


TARGETS: Final[dict[str, Any]] = {
    "session-snapshots": session_snapshot,
    "run-snapshots": run_snapshot,
    "run-messages": run_message,
    "room-entries": room_entry,
    "room-replicas": room_replica,
    "room-portions": room_portion,
}
"""Every target by the name of its corpus."""
