"""Worlds of sessions: chosen by name or as an object, brought by a model, many at once."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from hamlet_trio.inference import InferenceService, engine
from hamlet_trio.protocol.messages import (
    EpisodeEnd,
    EpisodeStart,
    Error,
    ModelLoaded,
    Playback,
    StateUpdate,
    View,
    WorldSet,
)
from hamlet_trio.world.library import WorldLibrary, worlds_path
from hamlet_trio.world.world_file import digest_of, make_config, make_world
from tests.inference.support import UP, Client, connected, greeted, real_time_limit, save_model

NO_GYM: dict[str, Any] = {"affordances": {"Gym": False}}
NINE: dict[str, Any] = {"width": 9, "height": 9}


def places(frame: StateUpdate) -> set[str]:
    return {marker.type for marker in frame.grid.affordances}


async def set_world(client: Client, world: object) -> StateUpdate:
    """Choose a world before the first step; return the frame of its first episode."""
    client.say("set_world", world=world)
    chosen = await client.expect(WorldSet)
    await client.expect(EpisodeStart)
    frame = await client.expect(StateUpdate)
    assert (chosen.world.width, chosen.world.height) == (frame.grid.width, frame.grid.height)
    return frame


async def test_a_session_plays_in_the_world_that_it_chose(service: InferenceService) -> None:
    with real_time_limit():
        async with greeted(service) as client:
            client.say("step")
            await client.expect(StateUpdate)
            client.say("set_world", world=NO_GYM)
            ended = await client.expect(EpisodeEnd)
            assert (ended.steps, ended.reason) == (1, "reset")
            chosen = await client.expect(WorldSet)
            assert chosen.world.digest == digest_of(make_config(NO_GYM))
            assert chosen.world.changes["affordances"] == {"Gym": False}
            assert (await client.expect(EpisodeStart)).episode == 2
            assert "Gym" not in places(await client.expect(StateUpdate))
            client.say("step")
            assert (await client.expect(StateUpdate)).step == 1


async def test_a_world_before_the_first_step_ends_no_episode(service: InferenceService) -> None:
    with real_time_limit():
        async with greeted(service) as client:
            frame = await set_world(client, "two-bars")
            assert frame.episode == 1
            labels = {marker.label for marker in frame.grid.affordances if marker.label}
            assert labels == {"Corner Bar"}


async def test_a_world_of_the_data_folder_is_found_by_its_name(
    service: InferenceService, models: Path
) -> None:
    library = WorldLibrary(worlds_path(str(models.with_name("data"))))
    library.save("mine", make_world(NO_GYM | {"title": "Mine"}))
    with real_time_limit():
        async with greeted(service) as client:
            assert "Gym" not in places(await set_world(client, "mine"))


@pytest.mark.parametrize(
    ("world", "code", "field"),
    [
        ("nowhere", "unknown_world", "world"),
        ({"width": 1}, "invalid_world", "world.width"),
        ({"affordances": {"Bed": {"x": 99}}}, "invalid_world", "world.affordances.Bed.x"),
        ({"width": 33}, "invalid_world", "world.width"),
        ({"num_agents": 9}, "invalid_world", "world.num_agents"),
        (NINE, "unusable_model", None),
        (7, "wrong_type", "world"),
    ],
)
async def test_a_world_that_cannot_be_played_changes_nothing(
    service: InferenceService, world: object, code: str, field: str | None
) -> None:
    with real_time_limit():
        async with greeted(service) as client:
            client.say("set_world", world=world)
            error = await client.expect(Error)
            assert (error.code, error.command, error.field) == (code, "set_world", field)
            client.say("step")
            frame = await client.expect(StateUpdate)
            assert (frame.step, frame.episode, "Gym" in places(frame)) == (1, 1, True)


async def test_a_model_brings_its_own_world_unless_one_was_chosen(
    service: InferenceService, models: Path
) -> None:
    nine = msgspec.to_builtins(make_config(NINE))
    save_model(models / "nine.pt", width=9, height=9, always=UP, world=nine)
    with real_time_limit():
        async with greeted(service) as client:
            client.say("load_model", model="nine.pt")
            assert (await client.expect(WorldSet)).world.width == 9
            await client.expect(ModelLoaded)
            await client.expect(EpisodeStart)
            assert (await client.expect(StateUpdate)).grid.width == 9
            client.say("load_model", model="up.pt")
            assert (await client.expect(WorldSet)).world.width == 8
        async with greeted(service) as client:
            await set_world(client, NO_GYM)
            client.say("load_model", model="nine.pt")
            error = await client.expect(Error)
            assert (error.code, error.command) == ("unusable_model", "load_model")
            client.say("load_model", model="up.pt")
            await client.expect(ModelLoaded)
            await client.expect(EpisodeStart)
            assert "Gym" not in places(await client.expect(StateUpdate))


async def test_a_person_who_plays_alone_needs_no_model_that_reads_the_world(
    service: InferenceService,
) -> None:
    with real_time_limit():
        async with greeted(service) as client:
            client.say("take_control")
            await client.expect(Playback)
            client.say("set_world", world=NINE | {"num_agents": 2})
            assert (await client.expect(Error)).code == "unusable_model", (
                "a model would have to play the other"
            )
            client.say("set_world", world=NINE)
            loaded = await client.expect(ModelLoaded)
            assert (loaded.model, loaded.network_type) == (None, "dueling")
            assert (await client.expect(WorldSet)).world.width == 9
            assert (await client.expect(EpisodeStart)).model_name is None
            await client.expect(StateUpdate)
            client.say("act", action=0)
            assert (await client.expect(StateUpdate)).grid.agents[0].y == 3
            # What plays when the person lets go is a network for that grid.
            await client.ask("release_control")
            client.say("step")
            assert (await client.expect(StateUpdate)).step == 2
            # The model comes back with its world.
            client.say("set_world", world="usual")
            await client.skip_to(EpisodeStart)
            await client.expect(StateUpdate)
            client.say("load_model", model="up.pt")
            assert (await client.skip_to(ModelLoaded)).model == "up.pt"


async def test_recording_rewinding_and_branching_stay_in_the_world(service: InferenceService) -> None:
    with real_time_limit():
        async with greeted(service) as client:
            await set_world(client, NO_GYM)
            for _ in range(3):
                client.say("step")
                await client.expect(StateUpdate)
            _, frame = await client.rewind(1)
            assert "Gym" not in places(frame)
            client.say("step")
            frame = await client.skip_to(StateUpdate)
            assert (frame.step, "Gym" in places(frame)) == (2, False)


async def test_many_worlds_at_once_each_stay_their_own(service: InferenceService) -> None:
    """Four sessions in four worlds step together, and all see their own rules."""
    with real_time_limit():
        async with (
            connected(service) as one,
            connected(service) as two,
            connected(service) as three,
            connected(service) as four,
        ):
            clients = (one, two, three, four)
            for number, client in enumerate(clients):
                await client.greeting()
                await set_world(client, {"meters": {"energy": {"drain": number}}, "move": {"energy": 0}})
            for client in clients:
                client.say("step")
            frames = [await client.expect(StateUpdate) for client in clients]
            energies = [frame.agents["agent_0"].meters.energy for frame in frames]
            assert energies == [1.0, 0.99, 0.98, 0.97]
        assert service.engine.groups == 0, "a world without sessions is forgotten"


async def test_the_number_of_worlds_at_once_is_bounded(
    service: InferenceService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "MAX_GROUPS", 1)
    with real_time_limit():
        async with greeted(service) as one, greeted(service) as two:
            await set_world(one, NO_GYM)
            two.say("set_world", world={"max_steps": 9})
            error = await two.expect(Error)
            assert (error.code, error.command) == ("too_many_worlds", "set_world")
            assert "in 1 different worlds beside the usual one" in error.message
            await set_world(two, NO_GYM)
            await set_world(one, "usual")


async def test_a_model_of_options_walks_to_where_the_places_are(
    service: InferenceService, models: Path
) -> None:
    """It was trained in the usual world, and finds the Bed elsewhere."""
    config = make_config({})
    save_model(models / "options.pt", network_type="options", world=msgspec.to_builtins(config))
    loaded = await service.policies.acquire("options.pt")
    moved = make_config({"affordances": {"Bed": {"x": 0, "y": 0}}})
    assert loaded.in_world(config) is loaded.policy
    assert loaded.in_world(make_config({"meters": {"money": {"start": 9}}})) is loaded.policy
    assert loaded.in_world(moved) is loaded.in_world(moved)
    assert loaded.in_world(moved) is not loaded.policy
    with real_time_limit():
        async with greeted(service) as client:
            client.say("load_model", model="options.pt")
            await client.skip_to(StateUpdate)
            client.say("set_view", q_values=True)
            await client.skip_to(View)
            await set_world(client, NO_GYM)
            client.say("step")
            frame = await client.skip_to(StateUpdate)
            assert frame.option_values
            assert "Gym" not in {option.place for option in frame.option_values}
