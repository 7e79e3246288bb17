"""Two training services over one data folder and one real Redis: one sweep, seen and stopped from both."""

from typing import Any

from hamlet_trio.settings import Settings
from tests.shared.test_one_run import an_instance, joined
from tests.training.support import Client

SETTINGS: dict[str, Any] = {
    "num_episodes": [8], "network_type": ["qnetwork"], "max_steps": [20], "batch_size": [8]
}  # fmt: skip


async def start(client: Client) -> None:
    await client.send("start_sweep", seeds=[1, 2], settings=SETTINGS, jobs=1)


async def go_on(client: Client) -> Any:
    """Start it again: its place is free once everyone has heard that it is over."""
    await start(client)
    while True:
        message = await client.read()
        if message["type"] == "sweep_status" and message["state"] == "running":
            return message
        assert message["type"] != "error", message


async def has_completed_one(client: Client) -> None:
    """Wait until a trial is told to be complete."""
    while all(trial["state"] != "complete" for trial in (await client.until("sweep_progress"))["trials"]):
        pass


async def test_one_sweep_is_seen_and_stopped_from_both(settings: Settings) -> None:
    async with an_instance(settings) as first, an_instance(settings) as second:
        here, there = await joined(first), await joined(second)
        await start(here)
        running = await there.until("sweep_status", state="running")
        assert running == await here.until("sweep_status", state="running")
        for command, code in (
            ("start_training", "already_training"),
            ("start_sweep", "already_training"),
            ("pause", "not_training"),
        ):
            await there.send(command, **({"seeds": [7]} if command == "start_sweep" else {}))
            assert (await there.until("error", command=command))["code"] == code
        assert second.service.is_training
        await has_completed_one(there)
        late = await joined(second)
        assert (await late.until("sweep_status"))["trials"][0]["state"] == "complete"
        await there.send("stop")
        ended = [await client.until("sweep_status", state="interrupted") for client in (here, there)]
        assert ended[0] == ended[1]
        assert [trial["state"] for trial in ended[0]["trials"]] == ["complete", "waiting"]

        # Its place is free at both; whoever goes on with it does so with what is missing.
        assert (await go_on(there))["sweep_id"] == running["sweep_id"]
        await here.until("sweep_status", state="running")
        complete = [await client.until("sweep_status", state="complete") for client in (here, there)]
        assert complete[0] == complete[1]
        assert complete[0]["result"]["groups"][0]["trials"] == 2
        assert (await (await joined(second)).until("sweep_status")) == complete[0]


async def test_whoever_watches_a_sweep_elsewhere_hears_that_its_instance_shuts_down(
    settings: Settings,
) -> None:
    async with an_instance(settings) as second:
        there = await joined(second)
        async with an_instance(settings) as first:
            await start(await joined(first))
            await has_completed_one(there)
        ended = await there.until("sweep_status", state="interrupted")
        assert ended["trials"][0]["state"] == "complete"
        await go_on(there)
        await there.until("sweep_status", state="complete")
