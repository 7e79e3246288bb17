"""How a run shows its episodes, and how that changes while it is on, against the real trainer process."""

from typing import Any

import msgspec
import pytest

from hamlet_trio.protocol.parameters import TrainingParameters
from tests.training.support import ENDLESS, Client, Server, plain


@pytest.fixture
def parameters(parameters: TrainingParameters) -> TrainingParameters:
    """Return parameters of a showcase of every episode."""
    return msgspec.structs.replace(parameters, show="showcase", show_every=1, step_delay=0.02)


def frames(client: Client, episode: int) -> list[Any]:
    """Return the frames of an episode that were read so far."""
    return [m for m in client.seen if m["type"] == "state_update" and m["episode"] == episode]


async def test_learning_waits_for_nothing_and_whole_episodes_are_shown_beside_it(
    server: Server, client: Client, parameters: TrainingParameters
) -> None:
    await client.send("start_training", **plain(parameters, step_delay=10))
    await client.until("training_complete")
    completes = [m for m in client.seen if m["type"] == "episode_complete"]
    assert [complete["episode"] for complete in completes] == [1, 2, 3, 4, 5, 6]
    # The first episode is still on the screen, and is played to its end.
    first = next(m for m in client.seen if m["type"] == "episode_start")
    shown, last = first["episode"], client.seen[-1]
    assert not any(frame["done"] for frame in frames(client, shown))
    await client.until_state("idle")
    assert last["type"] == "training_complete"


async def test_a_showcase_plays_to_its_end_after_the_run_and_then_the_newest(
    server: Server, client: Client, parameters: TrainingParameters
) -> None:
    await client.send("start_training", **plain(parameters))
    await client.until_state("idle")
    while not (frames(client, 6) and frames(client, 6)[-1]["done"]):
        await client.read()
    completes = {m["episode"]: m for m in client.seen if m["type"] == "episode_complete"}
    starts = [m["episode"] for m in client.seen if m["type"] == "episode_start"]
    assert starts == sorted(starts)
    assert starts[-1] == 6
    for episode in starts:
        seen = frames(client, episode)
        assert [frame["step"] for frame in seen] == list(range(1, completes[episode]["length"] + 1))
        assert seen[-1]["cumulative_reward"] == completes[episode]["reward"]
        assert seen[-1]["info"]["failure_reason"] == completes[episode]["failure_reason"]


@pytest.mark.long
async def test_a_pause_stops_learning_and_showing(server: Server, client: Client) -> None:
    await client.send("start_training", **ENDLESS | {"show": "showcase", "show_every": 1, "step_delay": 0.02})
    await client.until("state_update", step=3)
    await client.send("pause")
    paused = await client.until("paused")
    await client.until_state("paused")
    before = client.seen[-2:]
    assert before[0] == paused
    await client.send("resume")
    await client.until("resumed")
    # Between the two there was no frame.
    at = client.seen.index(paused)
    assert "state_update" not in [message["type"] for message in client.seen[at:]]
    frame = await client.until("state_update")
    last = [m for m in client.seen[:at] if m["type"] == "state_update"][-1]
    assert (frame["episode"], frame["step"]) == (last["episode"], last["step"] + 1)
    await client.send("stop")
    await client.until("training_stopped")


@pytest.mark.long
async def test_set_show_is_told_to_all_and_lets_a_live_run_learn_on_at_full_speed(
    server: Server, client: Client, parameters: TrainingParameters
) -> None:
    other = await server.connect()
    await client.send("start_training", **plain(parameters, show="live", step_delay=10, seed=3))
    await client.until("state_update", step=1)
    await client.send("set_show", step_delay=5)
    for one in (client, other):
        status = await one.until("training_status", state="running")
        while status["parameters"]["step_delay"] != 5:
            status = await one.until("training_status")
        assert (status["parameters"]["show"], status["parameters"]["seed"]) == ("live", 3)
    await client.send("set_show", show="showcase", step_delay=0.02)
    await client.until("training_complete")
    # What was on the screen goes on there, whole and once.
    while not (frames(client, 1) and frames(client, 1)[-1]["done"]):
        await client.read()
    assert [frame["step"] for frame in frames(client, 1)] == list(range(1, 21))
    assert [m["episode"] for m in client.seen if m["type"] == "episode_start"].count(1) == 1


@pytest.mark.long
async def test_a_showcase_can_become_live(server: Server, client: Client) -> None:
    await client.send("start_training", **ENDLESS | {"show": "showcase", "show_every": 1, "max_steps": 20})
    await client.until("episode_start")
    await client.send("set_show", show="live", step_delay=0.05)
    changed = await client.until("training_status")
    while changed["parameters"]["show"] != "live":
        changed = await client.until("training_status")
    while True:
        start = await client.until("episode_start")
        frame = await client.until("state_update", episode=start["episode"])
        following = await client.until("episode_complete")
        if following["episode"] == start["episode"]:
            break  # only live, an episode is over after its frames
    assert frame["step"] == 1
    await client.send("stop")
    await client.until("training_stopped")


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"show": "fast"}, "out_of_range", "show"),
        ({"show_every": 0}, "out_of_range", "show_every"),
        ({"step_delay": "slow"}, "wrong_type", "step_delay"),
        ({}, "not_training", None),
    ],
)
async def test_set_show_is_checked(
    client: Client, fields: dict[str, Any], code: str, field: str | None
) -> None:
    await client.send("set_show", **fields)
    error = await client.until("error")
    assert (error["code"], error["command"], error["field"]) == (code, "set_show", field)


async def test_what_is_learnt_does_not_depend_on_how_it_is_shown(
    server: Server, client: Client, parameters: TrainingParameters
) -> None:
    outcomes = []
    for fields in ({"show": "live", "step_delay": 0}, {"show": "showcase", "step_delay": 0.02}):
        at = len(client.seen)
        await client.send("start_training", **plain(parameters, **fields))
        await client.until("training_complete")
        await client.until_state("idle")
        outcomes.append(
            [{**m, "steps_per_second": 0} for m in client.seen[at:] if m["type"] == "episode_complete"]
        )
    assert len(outcomes[0]) == 6
    assert outcomes[0] == outcomes[1]


@pytest.mark.long
async def test_whoever_comes_late_is_told_what_happened_also_when_the_run_is_over(
    server: Server, client: Client, parameters: TrainingParameters
) -> None:
    nobody_trained = await server.connect()
    assert (await nobody_trained.read())["type"] == "training_status"
    await client.send("start_training", **plain(parameters))
    started = await client.until("training_started")
    await client.until_state("idle")
    late = await server.connect()
    status, history = await late.read(), await late.read()
    assert (status["state"], history["type"]) == ("idle", "training_history")
    assert [episode["episode"] for episode in history["episodes"]] == [1, 2, 3, 4, 5, 6]
    events = [past["event"] for past in history["events"]]
    assert events[0] == started
    told = ("checkpoint_saved", "training_complete")
    assert events[1:] == [m for m in client.seen if m["type"] in told]
    times = [past["time"] for past in history["events"]]
    assert times == sorted(times)
    # The second run's events come after those of the first.
    await client.send("start_training", **plain(parameters, num_episodes=1))
    await client.until("training_complete")
    later = await server.connect()
    history = await later.until("training_history")
    kinds = [past["event"]["type"] for past in history["events"]]
    assert kinds.count("training_started") == 2
    assert history["total"] == 1
