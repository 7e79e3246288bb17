"""A showcase by itself, on the virtual clock: what it shows, when, and what it drops."""

from collections.abc import AsyncIterator
from contextlib import ExitStack
from typing import Any

import msgspec
import pytest
import trio
from trio.testing import MockClock

from hamlet_trio.logs import get_logger
from hamlet_trio.protocol.messages import encode
from hamlet_trio.protocol.parameters import Showing, TrainingParameters
from hamlet_trio.training.frames import FrameRenderer, run_heat_map
from hamlet_trio.training.hub import Hub, Viewer
from hamlet_trio.training.orders import EpisodeReport, PauseOrder, ResumeOrder, ShowOrder, StopOrder
from hamlet_trio.training.run import TrainingRun
from hamlet_trio.training.showcase import END_DELAY, Showcase, frames_of

DELAY = 0.125


def near(seconds: float) -> Any:
    """The virtual clock counts from a large number, whose float has few decimals."""
    return pytest.approx(seconds, abs=1e-3)


@pytest.fixture(scope="module")
def episodes() -> list[EpisodeReport]:
    """Four whole episodes of a run; the first one has 20 steps."""
    parameters = TrainingParameters(
        num_episodes=4, max_steps=20, network_type="qnetwork", seed=7, batch_size=8, buffer_capacity=100
    )
    run, reports, actions = TrainingRun(parameters, device="cpu"), list[EpisodeReport](), bytearray()
    while not run.finished:
        outcome = run.step()
        actions.append(outcome.action)
        if outcome.record is not None:
            report = EpisodeReport(
                episode=outcome.episode,
                epsilon=outcome.epsilon,
                config=msgspec.to_builtins(run.worlds.config),
                start=msgspec.to_builtins(run.episode_starts[0]),
                actions=bytes(actions),
                heat_map=run_heat_map(run.visits),
            )
            reports.append(report)
            actions.clear()
    return reports


class Screen:
    """A showcase and a viewer of it."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.hub = Hub(max_events=100, max_frames=1000, on_watched=self._on_watched)
        self.showcase = Showcase(self.hub, get_logger(service="test"))
        self._stack = ExitStack()
        self.viewer = self.join()
        self.showcase.begin(DELAY)
        nursery.start_soon(self.showcase.run)

    def _on_watched(self, watched: bool) -> None:
        self.showcase.set_watched(watched)

    def join(self) -> Viewer:
        self.viewer = self._stack.enter_context(self.hub.joined("test"))
        return self.viewer

    def leave(self) -> None:
        self._stack.close()

    async def read(self) -> Any:
        """Return the next message, with the time at which it came as `at`."""
        return msgspec.json.decode(await self.viewer.queue.get()) | {"at": trio.current_time()}

    async def until(self, episode: int, step: int) -> Any:
        while True:
            message = await self.read()
            if (message["episode"], message.get("step")) == (episode, step):
                return message

    async def silence(self) -> None:
        """Let a minute of the virtual clock pass, in which nothing must be shown."""
        await trio.sleep(60)
        statistics = self.viewer.queue.statistics()
        assert (statistics.kept, statistics.droppable) == (0, 0)


@pytest.fixture
async def screen() -> AsyncIterator[Screen]:
    async with trio.open_nursery() as nursery:
        screen = Screen(nursery)
        yield screen
        screen.leave()
        nursery.cancel_scope.cancel()


async def test_the_episode_on_screen_is_finished_and_the_newest_follows(
    screen: Screen, episodes: list[EpisodeReport], autojump_clock: MockClock
) -> None:
    first, second, third, fourth = episodes
    screen.showcase.offer(first)
    began = await screen.read()
    assert (began["type"], began["episode"], began["epsilon"]) == ("episode_start", 1, first.epsilon)
    for episode in (second, third, fourth):
        screen.showcase.offer(episode)
    for step in range(1, 21):
        frame = await screen.read()
        assert (frame["type"], frame["episode"], frame["step"]) == ("state_update", 1, step)
        assert frame["done"] == (step == 20)
        assert frame["at"] - began["at"] == near((step - 1) * DELAY)
    following = await screen.read()
    assert (following["type"], following["episode"]) == ("episode_start", 4)
    assert following["at"] - frame["at"] == near(END_DELAY)
    await screen.until(4, len(fourth.actions))
    await screen.silence()


async def test_a_frame_is_the_one_that_was_learnt_from(episodes: list[EpisodeReport]) -> None:
    parameters = TrainingParameters(
        num_episodes=4, max_steps=20, network_type="qnetwork", seed=7, batch_size=8, buffer_capacity=100
    )
    run = TrainingRun(parameters, device="cpu")
    renderer = FrameRenderer(run.worlds.config)
    for episode in episodes:
        for frame in frames_of(episode):
            outcome = run.step()
            learnt = renderer.render(run.worlds, outcome, episode.heat_map)
            assert encode(frame) == encode(learnt)
    assert run.finished


async def test_a_pause_stops_between_two_steps_and_a_resume_goes_on_with_the_next(
    screen: Screen, episodes: list[EpisodeReport], autojump_clock: MockClock
) -> None:
    screen.showcase.offer(episodes[0])
    await screen.until(1, 3)
    screen.showcase.obey(PauseOrder())
    await screen.silence()
    resumed = trio.current_time()
    screen.showcase.obey(ResumeOrder())
    frame = await screen.read()
    assert (frame["episode"], frame["step"]) == (1, 4)
    assert frame["at"] - resumed == near(DELAY)
    # Paused between two episodes, it waits too.
    await screen.until(1, 20)
    screen.showcase.obey(PauseOrder())
    screen.showcase.offer(episodes[1])
    await screen.silence()
    screen.showcase.obey(ResumeOrder())
    await screen.until(2, 1)


async def test_a_new_delay_holds_for_the_wait_under_way(
    screen: Screen, episodes: list[EpisodeReport], autojump_clock: MockClock
) -> None:
    screen.showcase.offer(episodes[0])
    before = await screen.until(1, 1)
    screen.showcase.obey(ShowOrder(Showing("showcase", 1, 10.0)))
    await trio.sleep(5)
    screen.showcase.obey(ShowOrder(Showing("showcase", 1, 6.0)))
    after = await screen.read()
    assert (after["step"], after["at"] - before["at"]) == (2, near(6.0))
    screen.showcase.obey(ShowOrder(Showing("showcase", 1, 0.0)))
    last = await screen.until(1, 20)
    assert last["at"] - after["at"] == near(18 * 0.02)  # never faster than can be seen


async def test_without_viewers_nothing_is_shown_and_the_next_one_sees_an_episode_from_its_beginning(
    screen: Screen, episodes: list[EpisodeReport], autojump_clock: MockClock
) -> None:
    screen.showcase.offer(episodes[0])
    await screen.until(1, 5)
    screen.leave()
    await trio.sleep(60)
    screen.join()
    assert (await screen.read())["type"] == "episode_start"
    assert (await screen.read())["step"] == 1
    screen.leave()
    screen.showcase.offer(episodes[1])
    screen.join()
    await screen.until(2, 1)


@pytest.mark.parametrize("how", ["stop", "another run"])
async def test_a_stop_and_another_run_take_it_off_the_screen(
    screen: Screen, episodes: list[EpisodeReport], autojump_clock: MockClock, how: str
) -> None:
    screen.showcase.offer(episodes[0])
    await screen.until(1, 5)
    screen.showcase.offer(episodes[1])
    if how == "stop":
        screen.showcase.obey(StopOrder())
    else:
        screen.showcase.begin(DELAY)
    await screen.silence()
    screen.showcase.offer(episodes[2])
    await screen.until(3, 1)


async def test_what_was_seen_while_it_was_learnt_is_not_repeated(
    screen: Screen, episodes: list[EpisodeReport], autojump_clock: MockClock
) -> None:
    screen.showcase.offer(msgspec.structs.replace(episodes[0], seen=7))
    frame = await screen.read()
    assert (frame["type"], frame["episode"], frame["step"]) == ("state_update", 1, 8)
    whole = [one.cumulative_reward for one in frames_of(episodes[0])]
    assert frame["cumulative_reward"] == whole[7]


async def test_an_episode_that_cannot_be_shown_is_left_out(
    screen: Screen,
    episodes: list[EpisodeReport],
    autojump_clock: MockClock,
    capsys: pytest.CaptureFixture[str],
) -> None:
    screen.showcase.offer(msgspec.structs.replace(episodes[0], start={"positions": []}))
    await trio.sleep(1)
    screen.showcase.offer(episodes[1])
    await screen.until(2, len(episodes[1].actions))
