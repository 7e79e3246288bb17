"""A sweep on `/ws/training`: in the place of a run, told to every viewer, stopped and taken up again."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from hamlet_trio.settings import Settings
from tests.ports import free_port
from tests.training.support import Client, Server, Serving

SETTINGS: dict[str, Any] = {
    "num_episodes": [8], "network_type": ["qnetwork"], "max_steps": [20], "batch_size": [8]
}  # fmt: skip


async def started(client: Client, **fields: Any) -> Any:
    """Start a sweep of two seeds; the first status that shows it."""
    await client.send("start_sweep", **{"seeds": [1, 2], "settings": SETTINGS, "jobs": 1, **fields})
    return await client.until("sweep_status", state="running")


async def test_a_sweep_takes_the_place_of_a_run_and_goes_on_after_a_stop(
    client: Client, server: Server
) -> None:
    first = await started(client)
    assert [trial["state"] for trial in first["trials"]] == ["waiting", "waiting"]
    assert first["jobs"] == 1
    for command, code in (
        ("start_training", "already_training"),
        ("start_sweep", "already_training"),
        ("pause", "not_training"),
        ("set_show", "not_training"),
    ):
        await client.send(command, **({"seeds": [1]} if command == "start_sweep" else {}))
        error = await client.until("error", command=command)
        assert error["code"] == code, error
    newcomer = await server.connect()
    assert (await newcomer.until("sweep_status"))["sweep_id"] == first["sweep_id"]
    # One message may tell of the first trial's end and of the second one's beginning.
    while all(trial["state"] != "complete" for trial in (await client.until("sweep_progress"))["trials"]):
        pass
    await client.send("stop")
    stopped = await client.until("sweep_status", state="interrupted")
    assert [trial["state"] for trial in stopped["trials"]] == ["complete", "waiting"]
    assert (await newcomer.until("sweep_status", state="interrupted")) == stopped

    again = await started(client)
    assert again["sweep_id"] == first["sweep_id"]
    complete = await client.until("sweep_status", state="complete")
    assert [trial["state"] for trial in complete["trials"]] == ["complete", "complete"]
    (group,) = complete["result"]["groups"]
    assert group["trials"] == 2
    assert (Path(server.settings.data_dir) / "models" / complete["result"]["model"]).is_file()
    # Its place is free.
    await client.send("start_training", num_episodes=1, network_type="qnetwork", max_steps=5, step_delay=0)
    assert (await client.until("training_started"))["num_episodes"] == 1
    await client.until("training_complete")


async def test_where_its_ray_cluster_is_not_there_everyone_is_told_what_to_do(
    serving: Serving, settings: Settings
) -> None:
    address = f"127.0.0.1:{free_port()}"
    async with serving(msgspec.structs.replace(settings, ray_address=address)) as server:
        client, other = await server.connect(), await server.connect()
        await client.send("start_sweep", seeds=[1, 2], settings=SETTINGS)
        for viewer in (client, other):
            error = await viewer.until("error")
            assert error["code"] == "training_unavailable"
            assert error["message"].startswith(f"No Ray cluster listens at {address} (")
            ended = await viewer.until("sweep_status", state="interrupted")
            assert [trial["state"] for trial in ended["trials"]] == ["waiting", "waiting"]
        # Its place is free, and so is its lock.
        await client.send("start_sweep", seeds=[1, 2], settings=SETTINGS)
        assert (await client.until("sweep_status", state="running"))["sweep_id"] == ended["sweep_id"]
        await client.until("sweep_status", state="interrupted")


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"seeds": []}, "out_of_range", "seeds"),
        ({"seeds": list(range(65))}, "out_of_range", "seeds"),
        ({"settings": {"resume_from": ["a.pt"]}}, "out_of_range", "settings.resume_from"),
        ({"settings": {"gamma": [2]}}, "out_of_range", "settings.gamma"),
        ({"worlds": ["nowhere"]}, "unknown_world", "worlds"),
        ({"jobs": 0}, "out_of_range", "jobs"),
    ],
)
async def test_what_a_server_does_not_sweep_is_refused(
    fields: dict[str, Any], code: str, field: str, client: Client, settings: Settings
) -> None:
    await client.send("start_sweep", **{"seeds": [1], **fields})
    error = await client.until("error")
    assert (error["code"], error["command"], error["field"]) == (code, "start_sweep", field)
    assert len(msgspec.json.encode(error)) < 1000
    assert not (Path(settings.data_dir) / "sweeps").exists()
    # No lock was left behind.
    await client.send("start_sweep", seeds=[])
    assert (await client.until("error"))["field"] == "seeds"
