"""Work is shared fairly: steps at speed 1 wait for no flood, and rewinds go before recordings."""

import math
import threading
from collections import Counter

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from hamlet_trio.inference import InferenceService
from hamlet_trio.inference.fair_share import LAG_SECONDS, ROUND_SECONDS, FairShare, RecentUse, Share
from hamlet_trio.inference.recording_worker import RecordingWorker
from hamlet_trio.protocol.messages import Playback, RecordingSaved, StateUpdate
from hamlet_trio.recording.file import Recording
from hamlet_trio.recording.folder import RecordingFolder
from tests.inference.support import advance, greeted, real_time_limit


def overload(work: FairShare) -> None:
    """Let the server seem late until work is limited as far as it goes."""
    for _ in range(100):
        work.observe_lag(10 * LAG_SECONDS)


class Worker:
    """A session that does a unit of work every `interval` seconds, or as often as it may."""

    def __init__(self, interval: float) -> None:
        self.interval = interval
        self.done = 0
        self.waits = 0

    async def run(self, work: FairShare) -> None:
        """Work until cancelled."""
        share = Share()
        while True:
            self.waits += await work.admit(share)
            self.done += 1
            await trio.sleep(self.interval)


@pytest.fixture
async def work(autojump_clock: MockClock, nursery: trio.Nursery) -> FairShare:
    """Shared work, not limited yet."""
    work = FairShare()
    nursery.start_soon(work.run)
    return work


async def test_nothing_waits_while_the_server_keeps_up(work: FairShare, nursery: trio.Nursery) -> None:
    workers = [Worker(0.01) for _ in range(20)]
    for worker in workers:
        nursery.start_soon(worker.run, work)
    for _ in range(10):
        await trio.sleep(0.1)
        work.observe_lag(LAG_SECONDS / 2)
    assert work.limit == math.inf
    assert work.deferred == 0
    assert min(worker.done for worker in workers) > 10


async def test_a_server_that_is_late_once_limits_nothing(work: FairShare) -> None:
    work.observe_lag(60)
    assert work.limit == math.inf


async def test_sessions_at_speed_1_never_wait_and_the_others_share_the_rest_evenly(
    work: FairShare, nursery: trio.Nursery
) -> None:
    usual = [Worker(0.1) for _ in range(5)]
    greedy = [Worker(0.001) for _ in range(10)]
    for worker in (*usual, *greedy):
        nursery.start_soon(worker.run, work)
    await wait_all_tasks_blocked()
    overload(work)
    for worker in (*usual, *greedy):
        worker.done = worker.waits = 0
    await trio.sleep(3)
    assert sum(worker.waits for worker in usual) == 0
    assert min(worker.done for worker in usual) >= 25
    shares = [worker.done for worker in greedy]
    assert max(shares) <= 1.1 * min(shares)
    assert min(shares) >= 60, "they get what is guaranteed too"
    assert sum(shares) <= 3 / ROUND_SECONDS * (work.limit + 1)


async def test_the_limit_goes_when_the_server_keeps_up_again(work: FairShare) -> None:
    overload(work)
    assert work.limit < 10
    for _ in range(200):
        work.observe_lag(0)
    assert work.limit == math.inf


async def test_a_session_alone_is_never_limited(work: FairShare) -> None:
    overload(work)
    share = Share()
    for _ in range(1000):
        assert not await work.admit(share)


async def test_who_gives_up_waiting_leaves_no_trace(work: FairShare) -> None:
    overload(work)
    share, other = Share(), Share()
    for _ in range(60):
        await work.admit(share)
        await work.admit(other)
    deferred = work.deferred
    with trio.CancelScope() as scope:
        scope.cancel()
        while work.deferred == deferred:
            await work.admit(share)
    assert scope.cancelled_caught
    await trio.sleep(5)
    assert not await work.admit(share)


async def test_recent_use_halves_and_ranks_stay_comparable(autojump_clock: MockClock) -> None:
    old, new = RecentUse(1.0), RecentUse(1.0)
    assert old.rank == -math.inf
    old.add(8)
    await trio.sleep(2)
    new.add(3)
    assert old.rank < new.rank
    assert old.add(0) == pytest.approx(2)


async def test_a_player_keeps_its_pace_beside_sessions_that_flood(
    service: InferenceService, mock_clock: MockClock
) -> None:
    with real_time_limit():
        async with greeted(service) as player, greeted(service) as one, greeted(service) as other:
            for client in (one, other):
                await client.steps(20)
                await client.rewind(0)
                for _ in range(100):
                    client.say("seek", step=5)
            await player.ask("play")
            overload(service.work)
            for step in range(1, 11):
                await advance(mock_clock, 0.1)
                assert (await player.expect(StateUpdate)).step == step
                await player.assert_silent()
            assert service.statistics().deferred > 0
            for client in (one, other):
                assert not (await client.skip_to(Playback)).playing


async def test_pause_does_not_wait_for_a_share(service: InferenceService, mock_clock: MockClock) -> None:
    with real_time_limit():
        async with greeted(service) as client, greeted(service) as other:
            for one in (client, other):
                await one.ask("set_speed", speed=10)
                await one.ask("play")
            overload(service.work)
            for _ in range(40):
                await advance(mock_clock, 0.01)
            client.forget()
            client.say("pause")
            assert not (await client.skip_to(Playback)).playing
            await advance(mock_clock, 60)
            await client.assert_silent()


class _Held:
    """Keep the thread that plays out busy with a recording of another session."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun, self.go = threading.Event(), threading.Event()
        load = RecordingFolder.load

        def held(folder: RecordingFolder, recording: str) -> Recording:
            self.begun.set()
            assert self.go.wait(60)
            return load(folder, recording)

        monkeypatch.setattr(RecordingFolder, "load", held)


async def test_a_rewind_goes_before_recordings_and_the_session_that_used_least_before_others(
    service: InferenceService, kept: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = _Held(monkeypatch)
    order: list[str] = []
    run = RecordingWorker._run

    async def noted(worker: RecordingWorker, share: Share, *job: object, **options: bool) -> object:
        result: object = await run(worker, share, *job, **options)  # type: ignore[arg-type]
        order.append(names[share])
        return result

    monkeypatch.setattr(RecordingWorker, "_run", noted)
    names = _Names()
    with real_time_limit():
        async with (
            greeted(service) as blocker,
            greeted(service) as greedy,
            greeted(service) as modest,
            greeted(service) as rewinder,
        ):
            await greedy.steps(9)
            await modest.steps(3)
            await rewinder.steps(5)
            await greedy.record()
            order.clear()
            names.clear()
            blocker.say("load_recording", recording=kept.info.recording)
            await trio.to_thread.run_sync(held.begun.wait, 60)
            for client, command in ((greedy, "record"), (modest, "record"), (rewinder, "seek")):
                client.say(command, **({"step": 1} if command == "seek" else {}))
                await wait_all_tasks_blocked()
            assert service.statistics().playouts_waiting == 3
            held.go.set()
            await rewinder.skip_to(Playback)
            await modest.skip_to(RecordingSaved)
            await greedy.skip_to(RecordingSaved)
    assert order == ["0", "1", "2", "3"]
    assert [names.steps[name] for name in ("1", "2", "3")] == [5, 3, 18]


class _Names(dict[Share, str]):
    """Names for shares, in the order in which their jobs are done."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: Counter[str] = Counter()

    def __missing__(self, share: Share) -> str:
        self[share] = name = str(len(self))
        self.steps[name] = round(share.played_out.add(0))
        return name


async def test_a_disconnect_while_waiting_for_the_thread_delays_nobody(
    service: InferenceService, kept: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = _Held(monkeypatch)
    with real_time_limit():
        async with greeted(service) as blocker, greeted(service) as gone, greeted(service) as next_one:
            await gone.steps(2)
            await next_one.steps(2)
            blocker.say("load_recording", recording=kept.info.recording)
            await trio.to_thread.run_sync(held.begun.wait, 60)
            gone.say("seek", step=0)
            await wait_all_tasks_blocked()
            next_one.say("seek", step=0)
            await wait_all_tasks_blocked()
            assert service.statistics().playouts_waiting == 2
            gone.disconnect()
            await gone.ended.wait()
            assert service.statistics().playouts_waiting == 1
            held.go.set()
            await next_one.skip_to(Playback)
