"""A session's own episodes, one after another: its world in the engine, and all that is known of it."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from hamlet_trio.common.agents import AGENT_IDS, AgentResults
from hamlet_trio.inference.agent_tally import AgentTally
from hamlet_trio.inference.engine import PolicyEngine, Slot
from hamlet_trio.inference.message_sender import MessageSender
from hamlet_trio.inference.policies import LoadedPolicy
from hamlet_trio.inference.replay import PlayedEpisode, Replay
from hamlet_trio.inference.starts import EpisodeStarts
from hamlet_trio.inference.statistics import SessionCounters
from hamlet_trio.inference.world_group import Players
from hamlet_trio.protocol import messages
from hamlet_trio.protocol.frames import (
    NO_POLICY_VIEW,
    FrameBuilder,
    ShownOutputs,
    VisitCounter,
    WorldSnapshot,
)
from hamlet_trio.world import WorldConfig

EndReason = Literal["meter_depleted", "max_steps", "reset", "model_changed"]


class LiveEpisode:
    """Begin, step and end the episodes of one session, and send their messages and frames.

    Of an episode the start and the actions are kept, one byte a step of each agent: enough to restore each of
    its states.

    Attributes:
        models: the model that each agent plays.
        view: which of its outputs frames show.
        over: whether the episode has ended, or none has begun.
        starts: where episodes begin.
        led_by_person: whether a person chose each step so far, from the usual start of the one agent.
        turns: grows when an episode begins, branches off or ends.
        at_end: is called once, when an episode with a step has ended; None for nothing.
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
        self.models = [model]
        self.view = NO_POLICY_VIEW
        self.over = True
        self.turns = 0
        self.led_by_person = False
        self.at_end: Callable[[], Awaitable[None]] | None = None
        self._engine = engine
        self._slot = slot
        self._sender = sender
        self._counters = counters
        self._episode = 0
        self._total_reward = 0.0
        self._actions = bytearray()
        self._last_frame: messages.StateUpdate | None = None
        self._shown = WorldSnapshot(0, 0, [], 0.0, 0.0)
        self._tally: AgentTally | None = None  # of the episode, which may be of another world
        self._enter_world(EpisodeStarts(self.config, slot.group.start))
        self.fit_models()

    def _enter_world(self, starts: EpisodeStarts) -> None:
        """Prepare for episodes in the slot's world."""
        config = self.config
        self.starts = starts
        self._frames = FrameBuilder(config)
        self._visits = VisitCounter(config)
        self._start = self._slot.group.start

    def fit_models(self) -> None:
        """Have a model for each agent of the world, the first one's for those that had none."""
        count = self.num_agents
        self.models = (self.models + self.models[:1] * count)[:count]
        policies = tuple(model.in_world(self.config) for model in self.models)
        self._players: Players = policies if count > 1 else policies[0]

    @property
    def model(self) -> LoadedPolicy:
        """The model of the first agent."""
        return self.models[0]

    @property
    def players(self) -> Players:
        """The policy of the one agent, or those of several, for the places of the session's world."""
        return self._players

    @property
    def num_agents(self) -> int:
        """The number of agents."""
        return self.config.num_agents

    def has_ended(self, agent: int) -> bool:
        """Return whether one of several agents has failed, while the others go on."""
        return self._tally is not None and self._tally.has_ended(agent)

    @property
    def config(self) -> WorldConfig:
        """The configuration of the session's world."""
        return self._slot.group.config

    async def move(self, config: WorldConfig) -> None:
        """Let the next episode begin in another world, after `fit_models`.

        It begins at the usual start if a start was chosen here. Raises `TooManyWorldsError`.
        """
        if config != self.config:
            await self._engine.move(self._slot, config)
            random = self.starts.random
            self._enter_world(EpisodeStarts(config, self._slot.group.start, random=random))

    @property
    def shown(self) -> messages.StateUpdate:
        """The episode's last frame."""
        assert self._last_frame is not None  # `begin` has sent one
        return self._last_frame

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
        self._clear()
        kind = self.starts.kind
        await self._sender.send(
            messages.EpisodeStart(self._episode, self.model.name, kind, self.num_agents, self.model_names)
        )
        await self._show(await self._enter())

    def _clear(self) -> None:
        self._count_episode()
        self._total_reward = 0.0
        self._tally = AgentTally(self.num_agents) if self.num_agents > 1 else None
        self._actions.clear()
        self.led_by_person = self.num_agents == 1 and self.starts.kind == "usual"

    async def _enter(self) -> WorldSnapshot:
        """Put the world into the state in which the episode begins."""
        kind = self.starts.kind
        self._start = self.starts.next_state()
        if kind == "usual":
            begun = self._engine.reset(self._slot, self._players, self.view)
        else:
            begun = self._engine.restore(self._slot, self._players, self._start, self.view)
        snapshot = await begun
        self._note(snapshot)
        return snapshot

    async def branch(self, replay: Replay, step: int) -> None:
        """End the episode, and begin one that continues another after `step` of its replay."""
        visits, frame = replay.visits_at(step), replay.frame(step, self.view)
        await self._engine.restore(self._slot, self._players, replay.state_at(step))
        # The end and the beginning are sent together: in between a client would have no episode to act in.
        await self.leave("reset")
        self._count_episode()
        self.led_by_person = False
        results = replay.results_at(step)
        self._total_reward = results[0].total_reward
        if self._tally is not None:
            self._tally.replace(results)
        self._start = replay.played.start
        self._actions[:] = replay.played.actions[: step * self.num_agents]
        self._visits.replace(visits)
        self._shown = replay.snapshot(step, self.view)
        self._last_frame = msgspec.structs.replace(frame, episode=self._episode)
        await self._sender.send(
            messages.Branched(self._episode, self.model.name, step, replay.recording, self.num_agents)
        )

    async def step(self, action: int | None = None, agent: int = 0) -> None:
        """Make one step, and send its frame, and the end if it was the last.

        The agent of that number takes `action`, if it is not None; policies choose for all others.
        """
        snapshot = await self._advance(action, agent)
        await self._show(snapshot)
        if snapshot.terminated or snapshot.truncated:
            await self.end("meter_depleted" if snapshot.terminated else "max_steps", snapshot)

    async def _advance(self, action: int | None, agent: int) -> WorldSnapshot:
        snapshot = await self._engine.step(self._slot, self._players, self.view, action=action, agent=agent)
        self._total_reward += snapshot.reward
        self.led_by_person &= action is not None
        if self._tally is None:
            self._actions.append(snapshot.action)
        else:
            self._actions += bytes(one.action or 0 for one in snapshot.company)
            self._tally.add(snapshot.company)
        self._note(snapshot)
        return snapshot

    async def end(self, reason: EndReason, last: WorldSnapshot | None = None) -> None:
        """Announce the end of the episode, unless it has already ended."""
        if self.over:
            return
        self.over = True
        self.turns += 1
        failure = None if last is None else last.failure_reason
        agents: AgentResults | UnsetType = UNSET
        if self._tally is not None:
            agents, failure = self._tally.results, self._tally.first_failure
        await self._sender.send(
            messages.EpisodeEnd(self._episode, self._steps, self._total_reward, reason, failure, agents)
        )
        if self._actions and self.at_end is not None:
            at_end, self.at_end = self.at_end, None
            await at_end()

    async def leave(self, reason: EndReason) -> None:
        """End the episode for another one, unless it has had no step: then that takes its number."""
        if self._actions:
            await self.end(reason)

    async def inspect(self) -> ShownOutputs:
        """Return the outputs that `view` shows, for the world as it stands."""
        snapshot = await self._engine.inspect(self._slot, self._players, self.view)
        return ShownOutputs(snapshot.q_values, snapshot.attention, snapshot.option_values)

    async def show_again(self) -> None:
        """Send the last frame once more, after a replay was on screen."""
        await self._sender.send_frame(self.shown, self._visits.counts)

    def change_models(self, models: Sequence[LoadedPolicy]) -> None:
        """Let these models play from the next episode on, with an empty heat map.

        Agents beyond them play the first one.
        """
        self.models = list(models)
        self.fit_models()
        self._visits.replace({})

    @property
    def model_names(self) -> dict[str, str | None] | UnsetType:
        """The name of each agent's model, by the agent's id, where there are several."""
        if self._tally is None:
            return UNSET
        return {agent_id: model.name for agent_id, model in zip(AGENT_IDS, self.models, strict=False)}

    @property
    def _steps(self) -> int:
        """The steps of the episode so far."""
        return len(self._actions) // (1 if self._tally is None else len(self._tally.totals))

    def _count_episode(self) -> None:
        self.turns += 1
        if self.over:
            self._episode += 1
            self._counters.episodes += 1
        self.over = False

    def _note(self, snapshot: WorldSnapshot) -> None:
        """Count the visits of a step; whatever is told of the episode is about this step from now on."""
        self._shown = snapshot
        if self._tally is None:
            self._visits.visit(snapshot.x, snapshot.y)
        else:
            for agent in snapshot.company:
                if agent.action is not None or not self._actions:
                    self._visits.visit(agent.x, agent.y)

    async def _show(self, snapshot: WorldSnapshot) -> None:
        self._last_frame = self._frame(snapshot)
        await self._sender.send_frame(self._last_frame, self._visits.counts)

    def _frame(self, snapshot: WorldSnapshot) -> messages.StateUpdate:
        totals: Sequence[float] = ()
        failure = None
        if self._tally is not None:
            totals, failure = self._tally.totals, self._tally.first_failure
        return self._frames.session_frame(
            snapshot,
            episode=self._episode,
            step=self._steps,
            total_reward=self._total_reward,
            heat_map=self._visits.heat_map,
            view=self.view,
            totals=totals,
            first_failure=failure,
        )
