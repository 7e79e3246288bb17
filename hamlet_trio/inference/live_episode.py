"""A session's own episode: its world in the engine, and all that is known of it."""

from typing import Literal

import msgspec

from hamlet_trio.inference.engine import PolicyEngine, Slot
from hamlet_trio.inference.engine_messages import NO_POLICY_VIEW, WorldSnapshot
from hamlet_trio.inference.frames import FrameMaker, HeatMap
from hamlet_trio.inference.message_sender import MessageSender
from hamlet_trio.inference.policies import LoadedPolicy
from hamlet_trio.inference.replay import Played, Replay
from hamlet_trio.inference.statistics import SessionCounters
from hamlet_trio.protocol import messages

EndReason = Literal["meter_depleted", "max_steps", "reset", "model_changed"]


class LiveEpisode:
    """Begins, steps and ends the episodes of one session, one after the other, and sends what comes of it.

    Of an episode the start and the actions are kept, one byte a step: enough to have each of its states back.

    Attributes:
        model: what plays.
        thoughts: what frames show of its reasoning.
        over: whether the episode has ended.
    """

    def __init__(
        self,
        *,
        engine: PolicyEngine,
        slot: Slot,
        model: LoadedPolicy,
        outgoing: MessageSender,
        counters: SessionCounters,
    ) -> None:
        self.model = model
        self.thoughts = NO_POLICY_VIEW
        self.over = False
        self._engine = engine
        self._slot = slot
        self._outgoing = outgoing
        self._counters = counters
        self._frames = FrameMaker(engine.config)
        self._heat_map = HeatMap(engine.config)
        self._episode = 0
        self._total_reward = 0.0
        self._start = engine.start
        self._actions = bytearray()
        self._last: messages.StateUpdate | None = None

    @property
    def visits(self) -> dict[str, int]:
        """A copy of what the heat map counts: visits since the model was loaded."""
        return self._heat_map.visits

    @property
    def played(self) -> Played:
        """A copy of the episode so far."""
        return Played(
            start=self._start,
            actions=bytes(self._actions),
            episode=self._episode,
            model_name=self.model.name,
        )

    async def begin(self) -> None:
        """Begin the next episode."""
        self._number_next()
        self._total_reward = 0.0
        self._start = self._engine.start
        self._actions.clear()
        await self._outgoing.send(messages.EpisodeStart(self._episode, self.model.name))
        await self._show(await self._engine.reset(self._slot, self.model.policy, self.thoughts))

    async def branch(self, tape: Replay, step: int) -> None:
        """End the episode, and begin one in the middle of another: after `step` of a tape."""
        visits, frame = tape.heat_map_at(step).visits, tape.frame(step, self.thoughts)
        await self._engine.restore(self._slot, self.model.policy, tape.state_at(step))
        # The end and the beginning go out together: in between a client has no episode to act in.
        await self.end("reset")
        self._number_next()
        self._total_reward = tape.return_at(step)
        self._start = tape.played.start
        self._actions[:] = tape.played.actions[:step]
        self._heat_map.replace(visits)
        self._last = msgspec.structs.replace(frame, episode=self._episode)
        await self._outgoing.send(messages.Branched(self._episode, self.model.name, step, tape.recording))

    async def advance(self, action: int | None = None) -> None:
        """One step and its frame, and the episode's end where it was the last."""
        moment = await self._engine.step(self._slot, self.model.policy, self.thoughts, action=action)
        self._actions.append(moment.action)
        self._total_reward += moment.reward
        await self._show(moment)
        if moment.terminated or moment.truncated:
            await self.end("meter_depleted" if moment.terminated else "max_steps", moment)

    async def end(self, reason: EndReason, last: WorldSnapshot | None = None) -> None:
        """Announce the end of the episode, unless it has ended before."""
        if self.over:
            return
        self.over = True
        failure = None if last is None else last.failure_reason
        await self._outgoing.send(
            messages.EpisodeEnd(self._episode, len(self._actions), self._total_reward, reason, failure)
        )

    async def look(self) -> tuple[list[float] | None, list[list[float]] | None]:
        """Q-values and attention, where `thoughts` wants them, of the world as it stands."""
        moment = await self._engine.look(self._slot, self.model.policy, self.thoughts)
        return moment.q_values, moment.attention

    async def show_again(self) -> None:
        """Send the last frame once more, after others were on screen."""
        assert self._last is not None  # it was sent before anything else could be
        await self._outgoing.show(self._last)

    def change_model(self, model: LoadedPolicy) -> None:
        """Let this model play from the next episode on; the heat map begins anew."""
        self.model = model
        self._heat_map.replace({})

    def _number_next(self) -> None:
        self._episode += 1
        self._counters.episodes += 1
        self.over = False

    async def _show(self, moment: WorldSnapshot) -> None:
        self._heat_map.visit(moment.x, moment.y)
        self._last = self._frames.make(
            moment,
            episode=self._episode,
            step=len(self._actions),
            total_reward=self._total_reward,
            heat_map=self._heat_map,
            thoughts=self.thoughts,
        )
        await self._outgoing.show(self._last)
