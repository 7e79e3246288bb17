"""Show whole episodes of a run at a watchable pace, while the learner goes on at full speed."""

from collections.abc import Iterator
from typing import Final

import msgspec
import trio

from hamlet_trio.logs import Logger
from hamlet_trio.protocol.messages import TrainingEpisodeStart, TrainingStateUpdate, encode
from hamlet_trio.training.hub import Hub
from hamlet_trio.training.orders import EpisodeReport, Order, PauseOrder, ResumeOrder, ShowOrder, StopOrder

LEAST_DELAY: Final = 0.02
"""Seconds between two steps at least: nobody sees more than 50 a second."""
END_DELAY: Final = 1.5
"""Seconds from the last step of an episode to the next episode: the end is seen."""


class Showcase:
    """Show one episode after the other to the viewers of a hub.

    The episode on screen is always played to its end; then the newest one that was offered follows, and
    those offered in between are dropped. It goes on when the run is over, until `clear`. Without viewers
    nothing is shown: the next viewer sees the newest episode from its beginning.

    One task, `run`, shows; the other methods never wait. Memory: two episodes, one byte a step.
    """

    def __init__(self, hub: Hub, log: Logger) -> None:
        self._hub = hub
        self._log = log
        self._on_screen: EpisodeReport | None = None
        self._newest: EpisodeReport | None = None
        self._is_paused = False
        self._delay = LEAST_DELAY
        self._playing = trio.CancelScope()
        self._changed = trio.Event()

    # --- what others tell ------------------------------------------------------------------------------

    def begin(self, step_delay: float) -> None:
        """Begin a run, whose steps are shown with this delay; the run before leaves the screen."""
        self.clear()
        self._set_delay(step_delay)

    def obey(self, order: Order) -> None:
        """Carry out an order to the trainer where it concerns showing; a stop clears the screen."""
        match order:
            case PauseOrder():
                self._set_paused(True)
            case ResumeOrder():
                self._set_paused(False)
            case StopOrder():
                self.clear()
            case ShowOrder(showing):
                self._set_delay(showing.step_delay)

    def offer(self, episode: EpisodeReport) -> None:
        """Show this episode next, unless a later one is offered before."""
        self._newest = episode
        self._wake()

    def clear(self) -> None:
        """Take everything off the screen; what is offered from now on is shown at once."""
        self._newest = None
        self._playing.cancel()
        self._set_paused(False)

    def set_watched(self, watched: bool) -> None:
        """Take note of whether there is any viewer."""
        if watched:
            self._wake()
        else:
            self._newest = self._newest or self._on_screen
            self._playing.cancel()

    def _set_delay(self, seconds: float) -> None:
        # A wait that is under way begins anew with it, from the same beginning.
        self._delay = max(seconds, LEAST_DELAY)
        self._wake()

    def _set_paused(self, paused: bool) -> None:
        self._is_paused = paused
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    # --- showing ---------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Show episodes until cancelled. One that cannot be shown is logged and left out."""
        while True:
            while self._newest is None or self._is_paused or not self._hub.viewers:
                await self._changed.wait()
            self._on_screen, self._newest = self._newest, None
            try:
                with trio.CancelScope() as self._playing:
                    await self._show(self._on_screen)
            except Exception:
                self._log.exception("episode_not_shown", episode=self._on_screen.episode)
            self._on_screen = None

    async def _show(self, episode: EpisodeReport) -> None:
        if not episode.seen:
            num_agents = episode.config["num_agents"]
            self._hub.broadcast(TrainingEpisodeStart(episode.episode, episode.epsilon, num_agents))
        for frame in frames_of(episode):
            self._hub.broadcast_frame(encode(frame))
            await self._wait(END_DELAY if frame.done else None)

    async def _wait(self, seconds: float | None) -> None:
        """Wait for these seconds, by default the delay between steps, and as long as it is paused."""
        began = trio.current_time()
        while True:
            changed = self._changed
            if self._is_paused:
                await changed.wait()
                began = trio.current_time()
                continue
            with trio.move_on_at(began + (self._delay if seconds is None else seconds)):
                await changed.wait()
                continue
            return


def frames_of(episode: EpisodeReport) -> Iterator[TrainingStateUpdate]:
    """Play an episode, one frame for each step that was not seen."""
    # These import numpy, which a server that shows nothing never needs.
    import numpy as np  # noqa: PLC0415

    from hamlet_trio.training.company import Company  # noqa: PLC0415
    from hamlet_trio.training.episodes import StepOutcome  # noqa: PLC0415
    from hamlet_trio.training.frames import FrameRenderer  # noqa: PLC0415
    from hamlet_trio.world import WorldConfig, Worlds, WorldState  # noqa: PLC0415

    config = msgspec.convert(episode.config, WorldConfig)
    worlds = Worlds(1, config)
    worlds.set_state(0, msgspec.convert(episode.start, WorldState))
    renderer, total = FrameRenderer(config), 0.0
    company = Company(worlds) if config.num_agents > 1 else None
    given = np.frombuffer(episode.actions, dtype=np.uint8).reshape(-1, 1, config.num_agents)
    for actions in given:
        result = worlds.step(actions) if company is None else company.advance(actions)
        reward = float(result.rewards[0, 0])
        total += reward
        if worlds.steps[0] <= episode.seen:
            continue
        yield renderer.render(
            worlds,
            StepOutcome(
                episode=episode.episode,
                step=int(worlds.steps[0]),
                action=int(actions[0, 0]),
                reward=reward,
                total=total,
                epsilon=episode.epsilon,
                done=bool(worlds.over[0]),
                shown=True,
                actions=actions.tobytes(),
                agents=() if company is None else company.first_world(actions, result),
            ),
            episode.heat_map,
        )
