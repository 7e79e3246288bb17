"""An instance that is killed, and two that are restarted one after the other, under the eyes of a class."""

import json
import signal
from typing import Final

import pytest
import trio
from trio_websocket import ConnectionClosed, HandshakeError

from tests.e2e.client import QUICK, Player
from tests.e2e_nginx.client import connected, new_address
from tests.e2e_nginx.conftest import Instances
from tests.e2e_nginx.proxy import Proxy
from tests.patience import PATIENCE
from tests.web.access.conftest import Known

SESSIONS: Final = 100
SPEED: Final = 0.5  # so that this one process can read what all of them are sent
AGAIN: Final = 0.1  # seconds after which a client that was refused tries again


class Member:
    """Represent one pupil, who reconnects whatever happens and records how long that took.

    Attributes:
        frames: frames seen in this connection.
        losses: connections that ended although nobody here closed them, with their close codes.
        away: seconds between each loss and the next message from a server.
        episodes: the numbers of the episodes it was told of, in order.
        resumable: interrupted runs, as of the last status.
    """

    def __init__(self, path: str = "/ws", secret: str = "") -> None:
        self.path = path
        self._secret = secret
        self.frames = 0
        self.losses: list[int | None] = []
        self.away: list[float] = []
        self.episodes: list[int] = []
        self.resumable: list[str] = []
        self.player: Player | None = None
        self._address = new_address()
        self._changed = trio.Event()

    async def stay(self, proxy: Proxy) -> None:
        """Connect, play where one can play, listen; again and again until cancelled."""
        lost: float | None = None
        while True:
            try:
                async with connected(proxy, self.path, address=self._address, secret=self._secret) as player:
                    self.frames = 0
                    try:
                        await self._listen(player, lost)
                    except ConnectionClosed as closed:
                        lost = trio.current_time()
                        self.losses.append(closed.reason.code if closed.reason else None)
                    finally:
                        self.player = None
                        self._tell()
            except* (HandshakeError, OSError, trio.BrokenResourceError):
                pass  # nobody there yet
            await trio.sleep(AGAIN)

    async def _listen(self, player: Player, lost: float | None) -> None:
        if self.path == "/ws":
            await player.send("set_speed", speed=SPEED)
            await player.send("play")
        while True:
            message = json.loads(await player.socket.get_message())
            if lost is not None:
                self.away.append(trio.current_time() - lost)
                lost = None
            self.player = player
            if message["type"] == "state_update":
                self.frames += 1
            elif message["type"] == "episode_complete":
                self.episodes.append(message["episode"])
            elif message["type"] == "training_status":
                self.resumable = message["resumable"]
            self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    async def has_seen(self, frames: int) -> None:
        """Wait until this connection has had so many frames."""
        with trio.fail_after(PATIENCE):
            while self.frames < frames:
                await self._changed.wait()

    async def is_there(self) -> Player:
        """Wait until it is connected and has heard something."""
        with trio.fail_after(PATIENCE):
            while self.player is None:
                await self._changed.wait()
        return self.player

    async def has_come_back(self) -> None:
        """Wait until it has been lost and is back."""
        with trio.fail_after(PATIENCE):
            while not self.away:
                await self._changed.wait()

    async def can_resume(self) -> str:
        """Wait until it is told of the one interrupted run; return the run's id."""
        with trio.fail_after(PATIENCE):
            while not self.resumable:  # a run whose trainer is still saving is told of once it has saved
                await self._changed.wait()
        (run_id,) = self.resumable
        return run_id

    async def has_completed(self, episode: int) -> None:
        """Wait until it has heard of an episode of at least this number."""
        with trio.fail_after(PATIENCE):
            while not self.episodes or self.episodes[-1] < episode:
                await self._changed.wait()


async def all_play_on(members: list[Member]) -> None:
    """Wait until each has had two frames more than now."""
    wanted = [(member, member.frames + 2) for member in members]
    for member, frames in wanted:
        await member.has_seen(frames)


async def test_an_instance_killed_while_100_sessions_play(proxy: Proxy, instances: Instances) -> None:
    members = [Member() for _ in range(SESSIONS)]
    async with trio.open_nursery() as nursery:
        for member in members:
            nursery.start_soon(member.stay, proxy)
        for member in members:
            await member.has_seen(2)
        at_the_victim = await instances.sessions(1)
        assert at_the_victim >= SESSIONS / 4
        victim = instances.servers[1]
        victim.signal(signal.SIGKILL)
        assert await trio.to_thread.run_sync(victim.wait) == -signal.SIGKILL
        with trio.fail_after(PATIENCE):
            while await instances.sessions(0) < SESSIONS:  # noqa: ASYNC110  # another process counts them
                await trio.sleep(AGAIN)
        await all_play_on(members)
        killed = [member for member in members if member.losses]
        # Everyone else played on in the same session, and everyone killed is back in one step, at the other.
        assert len(killed) == at_the_victim
        assert {len(member.losses) for member in killed} == {1}
        assert await instances.sessions(0) == SESSIONS
        nursery.cancel_scope.cancel()
    again = instances.start_again(1)
    await trio.to_thread.run_sync(again.wait_for, "inference_ready")


@pytest.mark.long
async def test_a_rolling_restart_loses_no_progress_and_brings_everyone_back(
    proxy: Proxy, instances: Instances, keys: Known, capsys: pytest.CaptureFixture[str]
) -> None:
    players = [Member() for _ in range(30)]
    viewers = [Member("/ws/training", keys.teacher) for _ in range(8)]
    teacher = viewers[0]
    async with trio.open_nursery() as nursery:
        for member in (*players, *viewers):
            nursery.start_soon(member.stay, proxy)
        for member in players:
            await member.has_seen(2)
        for viewer in viewers:
            await viewer.is_there()
        order = {"num_episodes": 100_000, "show_every": 10, "seed": 3} | QUICK
        await (await teacher.is_there()).send("start_training", **order)
        await teacher.has_completed(5)

        for number in (0, 1):
            instances.servers[number].signal(signal.SIGTERM)
            assert await trio.to_thread.run_sync(instances.servers[number].wait) == 0
            again = instances.start_again(number)
            if number == 0:
                last = teacher.episodes[-1]
                for viewer in viewers:
                    await viewer.has_come_back()
                run_id = await teacher.can_resume()
                await (await teacher.is_there()).send("start_training", resume_from=run_id)
                await teacher.has_completed(last + 3)
            # What a person does too: the next one only when /readyz says that this one is back.
            await trio.to_thread.run_sync(again.wait_for, "inference_ready")
        await all_play_on(players)
        async with connected(proxy, "/ws/training", secret=keys.teacher) as late:
            known = [row["episode"] for row in (await late.expect("training_history"))["episodes"]]
            await late.send("stop")
            await late.expect("training_stopped")
        nursery.cancel_scope.cancel()

    # Not one episode is missing, and none was learnt twice.
    assert known == list(range(1, len(known) + 1))
    assert teacher.episodes == sorted(set(teacher.episodes))
    # 1012 is what tells a page to come back at once. The second restart was none of the viewers' business.
    assert {code for viewer in viewers for code in viewer.losses} == {1012}
    assert {len(viewer.losses) for viewer in viewers} == {1}
    assert {code for player in players for code in player.losses} == {1012}
    assert all(1 <= len(player.losses) <= 2 for player in players)
    with capsys.disabled():
        worst = {"players": players, "viewers": viewers}
        figures = [f"{name} {max(max(m.away) for m in members):.2f} s" for name, members in worst.items()]
        print(f"\nrolling restart, longest time away: {', '.join(figures)}")
