"""Arbitrary commands at arbitrary times, compared with the reference session message by message."""

from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import pytest
import trio
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec import UNSET
from trio.testing import MockClock

from hamlet_trio.agent.models import ModelFolder
from hamlet_trio.inference import InferenceService
from hamlet_trio.protocol.messages import (
    Branched,
    Connected,
    EpisodeEnd,
    EpisodeStart,
    Error,
    InferenceMessage,
    ModelLoaded,
    Playback,
    RecordingSaved,
    ReplayEnded,
    ReplayStarted,
    StateUpdate,
    View,
)
from hamlet_trio.recording.folder import RecordingFolder
from hamlet_trio.recording.info import recordings_path
from hamlet_trio.settings import Settings
from tests.inference.reference import ReferenceSession, Summary, replay_of
from tests.inference.support import DOWN, INTERACT, RIGHT, UP, Client, advance, connected, real_time_limit
from tests.recording.support import record

Action: TypeAlias = tuple[str, dict[str, Any], int]
"""A command with its fields, or a wait, and how many times in a row."""

WAIT_FOR_A_TURN = "until the next turn is due"
WAIT_A_LITTLE = "less than that"


def _action(name: str, times: int = 1, **fields: st.SearchStrategy[object]) -> st.SearchStrategy[Action]:
    return st.tuples(st.just(name), st.fixed_dictionaries(fields), st.integers(1, times))


RECORDING = "20250101-000000-abcdef"
EPISODE = 7
ACTIONS = [UP, UP, DOWN, RIGHT, INTERACT]
"""The recorded actions."""

ACTIONS_OF_CLIENT = st.one_of(
    *(_action(name) for name in ("play", "pause", "status", "reset", "take_control", "release_control")),
    *(_action(name) for name in ("record", "leave_replay")),
    _action("seek", 5, step=st.sampled_from([0, 1, 2, 5, 20, 1_000_000])),
    _action("load_recording", recording=st.sampled_from([RECORDING, "20250101-000000-000000"])),
    _action("set_speed", speed=st.sampled_from([0.1, 0.5, 1.0, 2.0, 10.0, 50.0])),
    _action("act", 20, action=st.integers(0, 4)),
    _action("step", 60),
    _action("load_model", model=st.sampled_from(["down.pt", "interact.pt", "nothing.pt"])),
    _action("set_view", q_values=st.booleans(), attention=st.booleans()),
    _action(WAIT_A_LITTLE, share=st.floats(0, 0.9)),
    _action(WAIT_FOR_A_TURN, 5),
)


@pytest.fixture(scope="module")
def data_with_a_recording(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A data folder with one recording of training, which those of sessions do not push out."""
    path = tmp_path_factory.mktemp("data")
    made = record(actions=ACTIONS, episode=EPISODE, source="training")
    info = msgspec.structs.replace(made.info, recording=RECORDING)
    RecordingFolder(recordings_path(str(path)), kept=5).save(msgspec.structs.replace(made, info=info))
    return str(path)


REWOUND: list[Action] = [
    ("step", {}, 20),
    ("seek", {"step": 5}, 1),
    ("step", {}, 3),
    ("seek", {"step": 2}, 2),
    ("take_control", {}, 1),
    ("act", {"action": DOWN}, 3),
    ("seek", {"step": 1}, 1),
    ("leave_replay", {}, 1),
]
BRANCHED: list[Action] = [
    ("load_recording", {"recording": RECORDING}, 1),
    ("play", {}, 1),
    (WAIT_FOR_A_TURN, {}, 3),
    ("seek", {"step": 1}, 2),
    (WAIT_FOR_A_TURN, {}, 2),
    ("take_control", {}, 1),
    ("act", {"action": UP}, 2),
    ("record", {}, 1),
    ("release_control", {}, 1),
    (WAIT_FOR_A_TURN, {}, 3),
]
"""Episodes that branch off earlier ones, which random lists of actions seldom do."""


@settings(max_examples=40, deadline=None)
@example(actions=REWOUND)
@example(actions=BRANCHED)
@given(actions=st.lists(ACTIONS_OF_CLIENT, max_size=40))
def test_every_message_is_the_one_the_rules_give(
    saved_models: Path, data_with_a_recording: str, actions: list[Action]
) -> None:
    trio.run(_compare, saved_models, data_with_a_recording, actions, clock=MockClock())


async def _compare(models: Path, data_dir: str, actions: list[Action]) -> None:
    service = InferenceService(
        Settings(max_sessions=1, data_dir=data_dir, recordings_kept=5), ModelFolder(models)
    )
    reference = ReferenceSession({RECORDING: replay_of(RECORDING, EPISODE, ACTIONS)})
    with real_time_limit(120):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(service.run)
            async with connected(service, settings=Settings(command_burst=100_000)) as client:
                await _hear(client, reference.connect())
                for name, fields, times in actions:
                    if name not in {WAIT_A_LITTLE, WAIT_FOR_A_TURN}:
                        for _ in range(times):
                            client.say(name, **fields)
                    for _ in range(times):
                        await _do(client, reference, name, fields)
                    await client.assert_silent()
            nursery.cancel_scope.cancel()


async def _do(client: Client, reference: ReferenceSession, name: str, fields: dict[str, Any]) -> None:
    clock = trio.lowlevel.current_clock()
    assert isinstance(clock, MockClock)
    deadline = reference.deadline()
    if name == WAIT_A_LITTLE:
        seconds = 3600.0 if deadline is None else fields["share"] * max(deadline - reference.now, 0)
        reference.now += seconds
        await advance(clock, seconds)
    elif name != WAIT_FOR_A_TURN:
        await _hear(client, getattr(reference, name)(**fields))
    elif deadline is not None:
        await advance(clock, max(deadline - reference.now, 0))
        await _hear(client, reference.take_turn())


async def _hear(client: Client, expected: list[Summary]) -> None:
    assert [_summary_of(await client.hear()) for _ in expected] == expected


def _summary_of(message: InferenceMessage) -> Summary:
    line: Summary
    match message:
        case Connected():
            line = "connected", message.model_name
        case EpisodeStart():
            line = "episode_start", message.episode, message.model_name
        case StateUpdate():
            agent = message.grid.agents[0]
            shows_q_values = message.q_values is not UNSET
            frame = message.episode, message.step, message.action
            line = "frame", *frame, (agent.x, agent.y), message.done, len(message.heat_map), shows_q_values
        case EpisodeEnd():
            line = "episode_end", message.episode, message.steps, message.reason
        case Playback():
            line = "playback", message.playing, message.speed, message.controller
        case ModelLoaded():
            line = "model_loaded", message.model
        case View():
            line = "view", message.q_values, message.attention
        case ReplayStarted():
            line = "replay_started", message.recording, message.episode, message.steps
        case ReplayEnded():
            line = "replay_ended", message.recording
        case Branched():
            line = "branched", message.episode, message.model_name, message.step, message.recording
        case RecordingSaved():
            line = "recording_saved", message.recording.episode, message.recording.steps
        case Error():
            line = "error", message.code
    return line
