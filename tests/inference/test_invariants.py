"""Arbitrary commands at arbitrary times, against the plain reference, message by message."""

from pathlib import Path
from typing import Any, TypeAlias

import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET
from trio.testing import MockClock

from hamlet_trio.agent.models import ModelFolder
from hamlet_trio.inference import InferenceService
from hamlet_trio.protocol.messages import (
    Connected,
    EpisodeEnd,
    EpisodeStart,
    Error,
    InferenceMessage,
    ModelLoaded,
    Playback,
    StateUpdate,
    View,
)
from hamlet_trio.settings import Settings
from tests.inference.reference import Line, ReferenceSession
from tests.inference.support import Client, advance, connected, real_time_limit

Deed: TypeAlias = tuple[str, dict[str, Any], int]
"""A command with its fields, or a wait, and how many times at once."""

WAIT_FOR_A_TURN = "until the next turn is due"
WAIT_A_LITTLE = "less than that"


def _deed(name: str, times: int = 1, **fields: st.SearchStrategy[object]) -> st.SearchStrategy[Deed]:
    return st.tuples(st.just(name), st.fixed_dictionaries(fields), st.integers(1, times))


DEEDS = st.one_of(
    *(_deed(name) for name in ("play", "pause", "status", "reset", "take_control", "release_control")),
    _deed("set_speed", speed=st.sampled_from([0.1, 0.5, 1.0, 2.0, 10.0, 50.0])),
    _deed("act", 20, action=st.integers(0, 4)),
    _deed("step", 60),
    _deed("load_model", model=st.sampled_from(["down.pt", "interact.pt", "nothing.pt"])),
    _deed("set_view", q_values=st.booleans(), attention=st.booleans()),
    _deed(WAIT_A_LITTLE, share=st.floats(0, 0.9)),
    _deed(WAIT_FOR_A_TURN, 5),
)


@settings(max_examples=40, deadline=None)
@given(deeds=st.lists(DEEDS, max_size=40))
def test_every_message_is_the_one_the_rules_give(saved_models: Path, deeds: list[Deed]) -> None:
    trio.run(_compare, saved_models, deeds, clock=MockClock())


async def _compare(models: Path, deeds: list[Deed]) -> None:
    service = InferenceService(Settings(max_sessions=1), ModelFolder(models))
    reference = ReferenceSession()
    with real_time_limit(120):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(service.run)
            async with connected(service, settings=Settings(command_burst=100_000)) as client:
                await _hear(client, reference.greet())
                for name, fields, times in deeds:
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


async def _hear(client: Client, expected: list[Line]) -> None:
    assert [_in_short(await client.hear()) for _ in expected] == expected


def _in_short(message: InferenceMessage) -> Line:
    line: Line
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
        case Error():
            line = "error", message.code
    return line
