"""Watching agents through any WebSocket library: the example of the documentation, and independence."""

import pytest
import trio

from tests.e2e.client import QUICK, Player, connected, viewing, watching
from tests.e2e.conftest import Server


async def test_load_a_model_and_play(shared_server: Server) -> None:
    async with connected(shared_server.port) as player:
        await player.send("load_model", model="first.pt")
        await player.send("play")
        opening = [(await player.receive())["type"] for _ in range(3)]
        assert opening == ["connected", "episode_start", "state_update"]
        assert (await player.expect("model_loaded"))["model"] == "first.pt"
        start = await player.expect("episode_start")
        assert (start["episode"], start["model_name"]) == (1, "first.pt")
        frames = await player.frames(21)
        steps = [frame["step"] for frame in frames if frame["episode"] == frames[-1]["episode"]]
        assert steps == list(range(steps[0], steps[0] + len(steps)))


async def test_two_clients_are_independent(shared_server: Server) -> None:
    async with watching(shared_server.port) as one, watching(shared_server.port) as two:
        await one.send("load_model", model="first.pt")
        await two.send("load_model", model="second.pt")
        assert (await one.expect("model_loaded"))["model"] == "first.pt"
        assert (await two.expect("model_loaded"))["model"] == "second.pt"
        await one.send("set_speed", speed=10)
        assert (await one.expect("playback"))["speed"] == 10
        await one.send("play")
        await two.send("step")
        assert (await two.expect("state_update", step=1))["episode"] == 1
        await one.frames(10)
        await one.send("reset")
        assert (await one.expect("episode_end", reason="reset"))["episode"] >= 1
        await two.send("status")
        assert await two.receive() == {
            "type": "playback",
            "playing": False,
            "speed": 1.0,
            "controller": "policy",
        }
        await two.send("step")
        frame = await two.receive()
        assert (frame["type"], frame["step"], frame["episode"]) == ("state_update", 2, 1)


@pytest.mark.long
async def test_training_goes_on_beside_two_players(shared_server: Server) -> None:
    port = shared_server.port
    async with watching(port) as one, watching(port) as two, viewing(port) as teacher:
        await one.send("load_model", model="first.pt")
        await two.send("load_model", model="second.pt")
        counts = {"one": 0, "two": 0}

        async def watch(name: str, player: Player) -> None:
            await player.send("play")
            while True:
                await player.expect("state_update")
                counts[name] += 1

        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch, "one", one)
            nursery.start_soon(watch, "two", two)
            await teacher.send("start_training", num_episodes=15, show_every=1, seed=1, **QUICK)
            started = await teacher.expect("training_started")
            assert started["num_episodes"] == 15
            before = dict(counts)
            for episode in range(1, 16):
                assert (await teacher.expect("episode_complete"))["episode"] == episode
            complete = await teacher.expect("training_complete")
            assert complete["model_saved"] == "models/trained_agent.pt"
            assert counts["one"] > before["one"]
            assert counts["two"] > before["two"]
            nursery.cancel_scope.cancel()
        await teacher.expect("training_status", state="idle")
