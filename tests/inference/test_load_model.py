"""load_model: read off the event loop, in order, and a failure changes nothing."""

from pathlib import Path

import pytest
from trio.testing import MockClock

from hamlet_trio.inference import InferenceService
from hamlet_trio.protocol.messages import (
    EpisodeEnd,
    EpisodeStart,
    Error,
    ModelLoaded,
    Playback,
    StateUpdate,
)
from tests.inference.support import (
    DOWN,
    RIGHT,
    UP,
    Client,
    ModelGate,
    advance,
    save_model,
    uses,
)


async def test_load_model_tells_then_begins_a_new_episode(client: Client) -> None:
    await client.steps(2)
    client.say("load_model", model="relational.pt")
    assert await client.expect(ModelLoaded) == ModelLoaded("relational.pt", "relational")
    end = await client.expect(EpisodeEnd)
    assert (end.episode, end.steps, end.reason, end.failure_reason) == (1, 2, "model_changed", None)
    assert await client.expect(EpisodeStart) == EpisodeStart(2, "relational.pt")
    assert (await client.expect(StateUpdate)).step == 0
    assert not (await client.assert_silent()).playing


async def test_load_model_plays_the_old_one_meanwhile(
    client: Client, mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await client.ask("set_speed", speed=2)
    await client.ask("play")
    gate = ModelGate(monkeypatch)
    client.say("load_model", model="down.pt")
    for step in range(1, 4):
        await advance(mock_clock, 0.05)
        frame = await client.expect(StateUpdate)
        assert (frame.step, frame.action) == (step, RIGHT)
    gate.open()
    await client.expect(ModelLoaded)
    await client.expect(EpisodeEnd)
    await client.expect(EpisodeStart)
    await client.expect(StateUpdate)
    assert await client.ask("status") == Playback(True, 2.0, "policy")
    await advance(mock_clock, 0.05)
    frame = await client.expect(StateUpdate)
    assert (frame.step, frame.action) == (1, DOWN)


async def test_load_model_after_the_episode_is_over_does_not_end_it_twice(client: Client) -> None:
    await client.play_out()
    client.say("load_model", model="down.pt")
    await client.expect(ModelLoaded)
    assert (await client.expect(EpisodeStart)).episode == 2


async def test_load_model_clears_the_heat_map(client: Client) -> None:
    assert len((await client.steps(3))[-1].heat_map) == 4
    client.say("load_model", model="down.pt")
    assert (await client.skip_to(StateUpdate)).heat_map == {"4,4": 1.0}


async def test_load_model_in_order(client: Client) -> None:
    for name in ("down.pt", "missing.pt", "up.pt"):
        client.say("load_model", model=name)
    assert (await client.skip_to(ModelLoaded)).model == "down.pt"
    assert (await client.skip_to(Error)).code == "unknown_model"
    assert (await client.skip_to(ModelLoaded)).model == "up.pt"
    assert (await client.skip_to(StateUpdate)).episode == 1
    assert (await client.step()).action == UP


async def test_load_model_with_too_many_waiting_is_refused(
    service: InferenceService, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = ModelGate(monkeypatch)
    client.say("load_model", model="down.pt")
    await client.assert_silent()  # it is being loaded now, so that eight more may wait
    for _ in range(10):
        client.say("load_model", model="up.pt")
    assert [(await client.expect(Error)).code for _ in range(2)] == ["too_many_loads"] * 2
    gate.open()
    loaded = [(await client.skip_to(ModelLoaded)).model for _ in range(9)]
    assert loaded == ["down.pt"] + ["up.pt"] * 8
    assert (await client.skip_to(StateUpdate)).episode == 1
    assert uses(service.policies) == 1


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("missing.pt", "unknown_model"),
        ("../trained_agent.pt", "invalid_model_name"),
        ("/etc/passwd", "invalid_model_name"),
        ("a\\b.pt", "invalid_model_name"),
        ("c:down.pt", "invalid_model_name"),
        ("down", "invalid_model_name"),
        ("link.pt", "invalid_model_name"),
        ("damaged.pt", "unusable_model"),
        ("empty.pt", "unusable_model"),
        ("large_world.pt", "unusable_model"),
        ("other_shape.pt", "unusable_model"),
    ],
)
async def test_load_model_that_fails_changes_nothing(
    *,
    service: InferenceService,
    client: Client,
    models: Path,
    mock_clock: MockClock,
    name: str,
    code: str,
) -> None:
    (models / "damaged.pt").write_bytes((models / "down.pt").read_bytes()[:-200])
    (models / "empty.pt").touch()
    (models.parent / "outside.pt").write_bytes((models / "down.pt").read_bytes())
    (models / "link.pt").symlink_to(models.parent / "outside.pt")
    save_model(models / "large_world.pt", width=9, height=9)
    save_model(models / "other_shape.pt", width=16, height=4, world={"width": 16, "height": 4})
    await client.ask("play")
    await advance(mock_clock, 0.1)
    before = await client.expect(StateUpdate)
    client.say("load_model", model=name)
    error = await client.expect(Error)
    assert (error.code, error.command, error.field) == (code, "load_model", "model")
    assert error.message.endswith(".")
    await advance(mock_clock, 0.1)
    after = await client.expect(StateUpdate)
    assert (after.step, after.action, after.episode) == (2, RIGHT, 1)
    assert after.heat_map.keys() > before.heat_map.keys()
    assert uses(service.policies) == 1
