"""Recordings of several agents: format 3, its bounds, and how each of them went."""

import msgspec
import numpy as np
import pytest

from hamlet_trio.agent.policy import Policy
from hamlet_trio.recording.capture import make_recording
from hamlet_trio.recording.file import DamagedRecordingError, RecordingError, decode, encode
from hamlet_trio.recording.info import MAX_STEPS
from hamlet_trio.recording.trajectory import digest_of, play, play_company, state_of_company
from hamlet_trio.world import DEFAULT_METERS, Meter, WorldConfig, Worlds
from hamlet_trio.world.config import INTERACT
from tests.recording.support import record

UP, DOWN, LEFT, RIGHT = range(4)
TIRED = (msgspec.structs.replace(DEFAULT_METERS[0], start=3.0), *DEFAULT_METERS[1:])


def world(meters: tuple[Meter, ...] = DEFAULT_METERS, **fields: object) -> WorldConfig:
    return WorldConfig(num_agents=3, meters=meters, **fields)  # type: ignore[arg-type]


def recorded(
    config: WorldConfig, actions: bytes, policy: Policy | tuple[Policy, ...] | None = None
) -> object:
    start = Worlds(1, config, seed=0).get_state(0)
    return make_recording(
        config, start, actions, reasons=["asked_for"], source="session", episode=1, policy=policy
    )


def test_it_is_read_as_it_was_written() -> None:
    config = world(contention=True)
    actions = bytes(np.random.Generator(np.random.PCG64(5)).integers(5, size=60).tolist())
    policies = (
        Policy.untrained(1, network_type="relational"),
        Policy.untrained(2),
        Policy.untrained(3, network_type="options"),
    )
    made = recorded(config, actions, policies)
    data = encode(made)  # type: ignore[arg-type]
    assert data[9] == 3
    read = decode(data, "x.rec")
    assert read.info == made.info  # type: ignore[attr-defined]
    assert (read.config, read.start, read.actions.tobytes()) == (config, made.start, actions)  # type: ignore[attr-defined]
    assert read.attention is not None
    assert read.others[0].attention is None
    assert len(read.others[1].options) == 8
    trajectories = read.play_company()
    for outputs, policy, one in zip(read.outputs, policies, trajectories, strict=True):
        assert outputs.q_values is not None
        np.testing.assert_array_equal(outputs.q_values, policy.act(one.observations).q_values)
    assert read.digest == digest_of(trajectories)


def test_each_agent_has_its_own_trajectory() -> None:
    config = world(TIRED)
    row = bytes([RIGHT, INTERACT, RIGHT])
    worlds = Worlds(1, config)
    start = worlds.get_state(0)
    trajectories = play_company(config, start, row * 3)
    for step in range(1, 4):
        result = worlds.step([list(row)])
        for agent, one in enumerate(trajectories):
            assert one.rewards[step] == result.rewards[0, agent]
            np.testing.assert_array_equal(one.positions[step], worlds.positions[0, agent])
            np.testing.assert_array_equal(one.meters[step], worlds.meters[0, agent])
        if step < 3:
            state = state_of_company(trajectories, start, step)
            assert msgspec.structs.replace(state, random=start.random) == msgspec.structs.replace(
                worlds.get_state(0), random=start.random
            )
    assert [one.lived for one in trajectories] == [3, 2, 3]
    assert [one.failure_reason for one in trajectories] == ["energy_depleted"] * 3
    assert trajectories[1].actions.tolist() == [0, INTERACT, INTERACT, 0]


def test_who_waited_is_known() -> None:
    config = WorldConfig(num_agents=2, contention=True, start=(1, 1))
    start = Worlds(1, config).get_state(0)
    # Agent 1 begins to the right of the Bed and walks onto it; then both sleep.
    first, second = play_company(config, start, bytes([UP, LEFT, DOWN, UP, INTERACT, INTERACT]))
    assert first.waiting_for.tolist() == [-1, -1, -1, -1]
    second_waits = play_company(config, start, bytes([UP, LEFT, DOWN, INTERACT, INTERACT, INTERACT]))[1]
    assert second.waiting_for.tolist() == [-1] * 4
    assert second_waits.waiting_for.tolist() == [-1, -1, -1, 0]


def test_its_bound_counts_the_steps_of_all() -> None:
    config = world(max_steps=10**6)
    with pytest.raises(RecordingError, match="one of 1 to 3333 steps"):
        recorded(config, bytes(3 * (MAX_STEPS // 3 + 1)))
    with pytest.raises(ValueError, match="3 for each step"):
        recorded(config, bytes(7))


def test_a_header_of_other_agents_is_refused() -> None:
    data = encode(recorded(world(), bytes(9)))  # type: ignore[arg-type]
    at = data.index(b'"num_agents":3')
    import hashlib

    body = data[42:].replace(b'"num_agents":3', b'"num_agents":2')
    assert at
    with pytest.raises(DamagedRecordingError):
        decode(data[:10] + hashlib.sha256(body).digest() + body, "x.rec")


def test_one_agent_is_written_as_before() -> None:
    made = record(actions=[UP, UP, INTERACT])
    data = encode(made)
    assert data[9] == 1
    assert b"num_agents" in data  # the world's, which was always there
    assert b'"agents"' not in data
    assert b'"others"' not in data
    assert made.play().digest() == play(made.config, made.start, made.actions.tolist()).digest()
