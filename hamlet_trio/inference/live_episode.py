"""A session's own episodes, one after another: its world in the engine, and all that is known of it."""

from typing import TYPE_CHECKING, Literal

import msgspec

from hamlet_trio.inference.engine import PolicyEngine, Slot
from hamlet_trio.inference.message_sender import MessageSender
from hamlet_trio.inference.policies import LoadedPolicy
from hamlet_trio.inference.replay import PlayedEpisode, Replay
from hamlet_trio.inference.starts import EpisodeStarts
from hamlet_trio.inference.statistics import SessionCounters
from hamlet_trio.protocol import messages
from hamlet_trio.protocol.frames import (
    NO_POLICY_VIEW,
    FrameBuilder,
    ShownOutputs,
    VisitCounter,
    WorldSnapshot,
)
from hamlet_trio.world import WorldConfig

if TYPE_CHECKING:
    from hamlet_trio.agent.policy import Policy

EndReason = Literal["meter_depleted", "max_steps", "reset", "model_changed"]


class LiveEpisode:
    """Begin, step and end the episodes of one session, and send their messages and frames.

    Of an episode the start and the actions are kept, one byte a step: enough to restore each of its states.

    Attributes:
        model: the model that plays.
        view: which of its outputs frames show.
        over: whether the episode has ended, or none has begun.
        starts: where episodes begin.
    """

    def __init__(
        self,
        *,
        engine: PolicyEngine,
        slot: Slot,
        model: LoadedPolicy,
        sender: MessageSender,
        counters: SessionCounters,
    ) -> None:
        self.model = model
        self.view = NO_POLICY_VIEW
        self.over = True
        self._engine = engine
        self._slot = slot
        self._sender = sender
        self._counters = counters
        self._episode = 0
        self._total_reward = 0.0
        self._actions = bytearray()
        self._last_frame: messages.StateUpdate | None = None
        self._enter_world(EpisodeStarts(self.config, slot.group.start))

    def _enter_world(self, starts: EpisodeStarts) -> None:
        """Prepare for episodes in the slot's world."""
        config = self.config
        self.starts = starts
        self._frames = FrameBuilder(config)
        self._visits = VisitCounter(config)
        self._start = self._slot.group.start

    @property
    def policy(self) -> "Policy":
        """The model's policy, for the places of the session's world."""
        return self.model.in_world(self.config)

    @property
    def config(self) -> WorldConfig:
        """The configuration of the session's world."""
        return self._slot.group.config

    async def move(self, config: WorldConfig) -> None:
        """Let the next episode begin in another world, at its usual start if a start was chosen here.

        Raises `TooManyWorldsError`.
        """
        if config != self.config:
            await self._engine.move(self._slot, config)
            random = self.starts.random
            self._enter_world(EpisodeStarts(config, self._slot.group.start, random=random))

    @property
    def visits(self) -> dict[str, int]:
        """A copy of the heat map's visits since the model was loaded."""
        return self._visits.visits

    @property
    def played(self) -> PlayedEpisode:
        """A copy of the episode so far."""
        return PlayedEpisode(
            config=self.config,
            start=self._start,
            actions=bytes(self._actions),
            episode=self._episode,
            model_name=self.model.name,
        )

    async def begin(self) -> None:
        """Begin the next episode. One that takes the place of an unfinished one keeps its number."""
        self._count_episode()
        self._total_reward = 0.0
        self._actions.clear()
        kind = self.starts.kind
        await self._sender.send(messages.EpisodeStart(self._episode, self.model.name, kind))
        self._start = self.starts.next_state()
        if kind == "usual":
            begun = self._engine.reset(self._slot, self.policy, self.view)
        else:
            begun = self._engine.restore(self._slot, self.policy, self._start, self.view)
        await self._show(await begun)

    async def branch(self, replay: Replay, step: int) -> None:
        """End the episode, and begin one that continues another after `step` of its replay."""
        visits, frame = replay.visits_at(step), replay.frame(step, self.view)
        await self._engine.restore(self._slot, self.policy, replay.state_at(step))
        # The end and the beginning are sent together: in between a client would have no episode to act in.
        await self.leave("reset")
        self._count_episode()
        self._total_reward = replay.return_at(step)
        self._start = replay.played.start
        self._actions[:] = replay.played.actions[:step]
        self._visits.replace(visits)
        self._last_frame = msgspec.structs.replace(frame, episode=self._episode)
        await self._sender.send(messages.Branched(self._episode, self.model.name, step, replay.recording))

    async def step(self, action: int | None = None) -> None:
        """Make one step, with `action` or the policy's; send its frame, and the end if it was the last."""
        snapshot = await self._engine.step(self._slot, self.policy, self.view, action=action)
        self._actions.append(snapshot.action)
        self._total_reward += snapshot.reward
        await self._show(snapshot)
        if snapshot.terminated or snapshot.truncated:
            await self.end("meter_depleted" if snapshot.terminated else "max_steps", snapshot)

    async def end(self, reason: EndReason, last: WorldSnapshot | None = None) -> None:
        """Announce the end of the episode, unless it has already ended."""
        if self.over:
            return
        self.over = True
        failure = None if last is None else last.failure_reason
        await self._sender.send(
            messages.EpisodeEnd(self._episode, len(self._actions), self._total_reward, reason, failure)
        )

    async def leave(self, reason: EndReason) -> None:
        """End the episode for another one, unless it has had no step: then that takes its number."""
        if self._actions:
            await self.end(reason)

    async def inspect(self) -> ShownOutputs:
        """Return the outputs that `view` shows, for the world as it stands."""
        snapshot = await self._engine.inspect(self._slot, self.policy, self.view)
        return ShownOutputs(snapshot.q_values, snapshot.attention, snapshot.option_values)

    async def show_again(self) -> None:
        """Send the last frame once more, after a replay was on screen."""
        assert self._last_frame is not None  # `begin` has sent one
        await self._sender.send_frame(self._last_frame)

    def change_model(self, model: LoadedPolicy) -> None:
        """Let this model play from the next episode on, with an empty heat map."""
        self.model = model
        self._visits.replace({})

    def _count_episode(self) -> None:
        if self.over:
            self._episode += 1
            self._counters.episodes += 1
        self.over = False

    async def _show(self, snapshot: WorldSnapshot) -> None:
        self._visits.visit(snapshot.x, snapshot.y)
        self._last_frame = self._frames.session_frame(
            snapshot,
            episode=self._episode,
            step=len(self._actions),
            total_reward=self._total_reward,
            heat_map=self._visits.heat_map,
            view=self.view,
        )
        await self._sender.send_frame(self._last_frame)
