"""An episode that goes on on another connection: its facts, and how it catches up with what was seen."""

from collections.abc import Sequence
from typing import Final

import msgspec

from hamlet_trio.common.agents import AgentResult
from hamlet_trio.inference.live_episode import LiveEpisode
from hamlet_trio.inference.policies import LoadedPolicy
from hamlet_trio.inference.session_snapshot import EpisodeFacts, LastStep, RawMeters
from hamlet_trio.inference.starts import EpisodeStarts
from hamlet_trio.protocol.commands import ResumeSession
from hamlet_trio.protocol.frames import AgentSnapshot, WorldSnapshot
from hamlet_trio.world import FAILURE_REASONS, WorldConfig

_MOST_MISSED: Final = 4096
"""Steps that are played out at most when a session goes on on another connection."""


class ResumableEpisode(LiveEpisode):
    """A session's episodes, which another connection or instance can go on with."""

    def facts(self) -> EpisodeFacts:
        """Return the episode as it stands; between two steps, and also while one is under way."""
        shown, start, tally = self._shown, self._start, self._tally
        agents: Sequence[WorldSnapshot | AgentSnapshot] = shown.company or (shown,)
        return EpisodeFacts(
            number=self._episode,
            over=self.over or shown.terminated or shown.truncated,
            start=None if start == self._slot.group.start else start,
            actions=bytes(self._actions),
            cells=tuple((agent.x, agent.y) for agent in agents),
            meters=tuple(msgspec.convert(agent.raw, RawMeters) for agent in agents),
            failures=tuple(_code(agent.failure_reason) for agent in agents),
            random=start.random,
            returns=(self._total_reward,) if tally is None else tuple(tally.totals),
            visits=list(self._visits.visits.items()),
            last=LastStep(
                [agent.action for agent in agents],
                [agent.reward for agent in agents],
                [agent.components for agent in agents],
                shown.terminated,
                shown.truncated,
                [agent.waiting_for for agent in shown.company],
            ),
            lived=() if tally is None else tally.steps,
            start_choice=None if self.starts.kind == "usual" else self.starts.choice,
            next_start=self.starts.foresee(),
        )

    async def take_over(self, facts: EpisodeFacts, models: list[LoadedPolicy], config: WorldConfig) -> None:
        """Go on with another connection's episode, without a message.

        Raises `TooManyWorldsError`, `ValueError` for facts that no episode of such a world can have, and
        `BadMessageError` for a start that it cannot have; nothing has changed then.
        """
        facts.check(config.num_agents)
        usual = self._slot.group.start  # of another world perhaps, but at step 0 too
        if facts.start_choice is not None:
            EpisodeStarts(config, usual).choose(facts.start_choice)
        present = facts.state(usual if facts.start is None else facts.start)
        for state in (facts.start, present, facts.next_start):
            if state is not None:
                state.check(config)
                state.random.generator()
        await self.move(config)
        self.change_models(models)
        if facts.start_choice is not None:
            self.starts.choose(facts.start_choice, upcoming=facts.next_start)
        self._clear()
        self._episode, self.over = facts.number, facts.over
        self._start = self._slot.group.start if facts.start is None else facts.start
        self._actions[:] = facts.actions
        self.led_by_person &= not facts.actions  # nobody knows who made the steps so far
        self._total_reward = facts.returns[0]
        if self._tally is not None:
            results = zip(facts.lived, facts.returns, facts.failures, strict=True)
            self._tally.replace(
                [AgentResult(steps, total, FAILURE_REASONS[code]) for steps, total, code in results]
            )
        self._visits.replace(dict(facts.visits))
        restored = await self._engine.restore(self._slot, self._players, facts.state(self._start))
        self._shown = _with_last_step(restored, facts)
        self._last_frame = self._frame(self._shown)

    async def catch_up(self, seen: ResumeSession, human: int | None) -> int:
        """Play out the steps that the client saw after the episode was stored; return how many.

        Its actions are used as far as they reach, with several agents those of the one that a person plays;
        policies choose all others, but no person's. Where its actions contradict the episode, nothing is
        played out. At most `_MOST_MISSED` steps.
        """
        missed = 0
        if seen.episode == self._episode + 1 and (self.over or human is None):
            while not self.over and missed < _MOST_MISSED:
                await self._miss(None, 0)
                missed += 1
            if self.over:
                self._clear()
                self._last_frame = self._frame(await self._enter())
        if seen.episode != self._episode:
            return missed
        agents = self.num_agents
        rows = [[action] if isinstance(action, int) else action for action in seen.actions]
        first = seen.step - len(rows)
        known = bytes(self._actions[max(first, 0) * agents :])
        brought = bytes(action for row in rows for action in row)
        if first < 0 or len(brought) != len(rows) * agents:
            return missed
        if brought[: len(known)] != known[: len(brought)]:
            return missed
        agent = human or 0
        while self._steps < seen.step and not self.over and missed < _MOST_MISSED:
            place = self._steps - first
            is_known = place >= 0 and (human is not None or agents == 1)
            if human is not None and not is_known:
                break
            await self._miss(rows[place][agent] if is_known else None, agent)
            missed += 1
        return missed

    async def _miss(self, action: int | None, agent: int) -> None:
        """Make a step that is not sent."""
        snapshot = await self._advance(action, agent)
        self.over = snapshot.terminated or snapshot.truncated
        self._last_frame = self._frame(snapshot)


def _code(reason: str | None) -> int:
    return FAILURE_REASONS.index(reason)


def _with_last_step(restored: WorldSnapshot, facts: EpisodeFacts) -> WorldSnapshot:
    """Return a restored world as the step on screen left it."""
    last = facts.last
    company = tuple(
        msgspec.structs.replace(
            agent,
            action=last.actions[number],
            reward=last.rewards[number],
            components=last.components[number],
            waiting_for=last.waiting_for[number],
        )
        for number, agent in enumerate(restored.company)
    )
    return msgspec.structs.replace(
        restored,
        action=last.actions[0] or 0,
        reward=last.rewards[0],
        components=last.components[0],
        terminated=last.terminated,
        truncated=last.truncated,
        failure_reason=None if company else FAILURE_REASONS[facts.failures[0]],
        company=company,
    )
