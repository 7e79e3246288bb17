"""An instance dies, or is restarted, or hangs: its sessions go on at another one, to the very step."""

import re
import shutil
import signal
from functools import partial

import pytest
import trio

from hamlet_trio.shared.redis_shelf import INTERVAL
from tests.e2e.client import connected
from tests.e2e_redis.conftest import Pair
from tests.e2e_redis.pupil import Habit, Pupil, acts, doors, plays, rewinds, waits, watches
from tests.patience import PATIENCE
from tests.shared.redis_server import RedisServer
from tests.web.wire import request


def a_class(pair: Pair) -> list[Pupil]:
    """Thirty pupils, of all kinds, half of them at each instance."""
    kinds: list[Habit] = [
        *(partial(plays, speed=speed) for speed in (1, 2, 5, 10) * 4),
        *[acts] * 6,
        *[waits] * 4,
        *[rewinds] * 2,
        *[watches] * 2,
    ]
    return [
        Pupil(doors(pair.ports, number % 2), habit, acts=(0, 3, 4, 1, 2) if habit is acts else ())
        for number, habit in enumerate(kinds)
    ]


async def settled(pupils: list[Pupil]) -> None:
    """Wait until all of them have done what they do."""
    for pupil in pupils:
        await pupil.until(lambda one: one.number >= 8)
    for pupil in pupils:
        if pupil._habit is watches:
            await pupil.until(lambda one: (one.replayed or 0) >= 3)
        if pupil._habit is rewinds:
            await pupil.until(lambda one: one.replayed == 3)


async def go_on(pupils: list[Pupil]) -> None:
    """Wait until each has had its session again and, where it moves by itself, moves on."""
    for pupil in pupils:
        await pupil.until(lambda one: bool(one.resumed))
        assert pupil.begun_anew == []
        if pupil._habit in (waits, rewinds, watches):  # a recording may have been at its end
            await pupil.until(lambda one: one.number >= 9)
        else:
            before = pupil.number
            await pupil.until(lambda one, before=before: one.number >= before + 3)  # type: ignore[misc]


async def test_without_redis_sessions_play_and_only_the_claim_is_refused(
    pair: Pair, redis: RedisServer
) -> None:
    async with connected(pair.ports[0]) as player:
        secret = (await player.expect("connected"))["resume"]
        await player.send("play")
        await player.frames(3)
        redis.signal(signal.SIGSTOP)
        await player.frames(40)
        async with connected(pair.ports[1]) as other:
            await other.expect("connected")
            await other.send("resume_session", resume=secret)
            assert (await other.expect("error"))["code"] == "store_unavailable"
            await other.send("step")
            assert (await other.expect("state_update", step=1))["episode"] == 1
        ready = (await request(pair.ports[0], "GET /readyz")).body.decode()
        assert "redis" in ready
        redis.signal(signal.SIGCONT)
        await player.frames(5)


@pytest.mark.parametrize("how", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.long)])
async def test_all_go_on_in_the_same_life(
    pair: Pair, how: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    pupils = a_class(pair)
    victims = pupils[1::2]
    async with trio.open_nursery() as nursery:
        for pupil in pupils:
            nursery.start_soon(pupil.live)
        await settled(pupils)
        await trio.sleep(2)  # of play, at any step
        pair.servers[1].signal(how)
        await trio.to_thread.run_sync(pair.servers[1].wait)
        await go_on(victims)
        nursery.cancel_scope.cancel()
    assert all(pupil.codes == [] for pupil in pupils[::2]), "nobody else noticed"
    if how is signal.SIGTERM:
        assert {code for pupil in victims for code in pupil.codes} == {1012}
    for pupil in victims:
        assert len(pupil.resumed) == 1
        if pupil._habit is rewinds:
            assert (pupil.replayed, pupil.playback["controller"]) == (3, "recording")
        if pupil._habit is watches:
            assert pupil.playback["controller"] == "recording"
        if pupil._habit is acts:
            assert pupil.playback["controller"] == "human"
    compared = sum(pupil.check() for pupil in pupils)
    away = sorted(away for pupil in victims for away in pupil.away)
    with capsys.disabled():
        middle, most = away[len(away) // 2], away[-1]
        print(f"\n{how.name}: {compared} steps compared; away {middle:.2f} s, at most {most:.2f} s")


@pytest.mark.long
async def test_a_rolling_restart_ends_no_life(pair: Pair) -> None:
    pupils = a_class(pair)
    async with trio.open_nursery() as nursery:
        for pupil in pupils:
            nursery.start_soon(pupil.live)
        await settled(pupils)
        for number in (0, 1):
            pair.servers[number].signal(signal.SIGTERM)
            await trio.to_thread.run_sync(pair.servers[number].wait)
            await trio.to_thread.run_sync(pair.mend)
            await trio.sleep(1)
        await go_on(pupils)
        nursery.cancel_scope.cancel()
    for pupil in pupils:
        pupil.check()


@pytest.mark.long
async def test_an_instance_that_wakes_up_overwrites_no_newer_life(pair: Pair) -> None:
    """A hanging instance: nobody goes there, its sessions go on elsewhere, and then it wakes up."""
    ports = pair.ports
    pupil = Pupil(doors(ports, 0), partial(plays, speed=5))
    async with trio.open_nursery() as nursery:
        async with connected(ports[1]) as old:
            secret = (await old.expect("connected"))["resume"]
            await old.send("play")
            await old.frames(5)
            await trio.sleep(INTERVAL + 0.5)  # so that it is written
            pair.servers[1].signal(signal.SIGSTOP)
            pupil.secret = secret
            nursery.start_soon(pupil.live)
            await pupil.until(lambda one: bool(one.resumed) and one.number >= 20)
            pair.servers[1].signal(signal.SIGCONT)
            assert await old.close_code() == 4409
        number = pupil.number
        await pupil.until(lambda one: one.number >= number + 20)
        pair.servers[0].signal(signal.SIGKILL)
        # What the one that woke up finds is the newer life.
        await pupil.until(lambda one: len(one.resumed) == 2)
        nursery.cancel_scope.cancel()
    assert pupil.begun_anew == []
    assert pupil.resumed[1]["missed"] <= 200


@pytest.mark.long
async def test_redis_was_restarted_before_the_instance_is_killed(pair: Pair, redis: RedisServer) -> None:
    pupils = a_class(pair)
    victims = pupils[1::2]
    async with trio.open_nursery() as nursery:
        for pupil in pupils:
            nursery.start_soon(pupil.live)
        await settled(pupils)
        redis.end()
        for pupil in victims:
            number = pupil.number
            if pupil._habit not in (waits, rewinds, watches):
                await pupil.until(lambda one, number=number: one.number > number + 3)  # type: ignore[misc]
        redis.start()
        await _written_again(pair.ports[1])
        pair.servers[1].signal(signal.SIGKILL)
        await go_on(victims)
        nursery.cancel_scope.cancel()
    for pupil in pupils:
        pupil.check()


async def _written_again(port: int) -> None:
    """Wait until the instance has written all its sessions since Redis is back."""
    with trio.fail_after(PATIENCE):
        while True:
            text = (await request(port, "GET /metrics")).body.decode()
            values = dict(re.findall(r"^hamlet_(store_up|sessions_waiting) (\S+)$", text, re.M))
            if float(values["store_up"]) and float(values["sessions_waiting"]) < 15:
                break
            await trio.sleep(0.1)
    await trio.sleep(2 * INTERVAL)


@pytest.mark.long
async def test_the_version_that_was_played_plays_on_though_its_file_was_replaced(pair: Pair) -> None:
    first = pair.models / "first.pt"
    before = first.read_bytes()
    async with connected(pair.ports[1]) as player:
        secret = (await player.expect("connected"))["resume"]
        await player.send("load_model", model="first.pt")
        await player.expect("model_loaded")
        await player.send("set_view", q_values=True)
        values = (await player.expect("view"))["current_q_values"]
        shutil.copyfile(pair.models / "third.pt", first)
        await trio.sleep(INTERVAL + 0.5)  # so that it is written
        pair.servers[1].signal(signal.SIGKILL)
    async with connected(pair.ports[0]) as player:
        await player.expect("connected")
        await player.send("resume_session", resume=secret)
        assert (await player.expect("session_resumed"))["model_name"] == "first.pt"
        await player.send("set_view", q_values=True)
        assert (await player.expect("view"))["current_q_values"] == pytest.approx(values, abs=1e-6)
    async with connected(pair.ports[0]) as player:
        await player.send("load_model", model="first.pt")
        assert (await player.expect("model_loaded"))["network_type"] == "relational"
    first.write_bytes(before)
