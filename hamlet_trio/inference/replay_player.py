"""What a session shows in place of its own episode: a recording, or that episode rewound."""

from typing import Final

from msgspec.structs import replace

from hamlet_trio.inference.fair_share import Share
from hamlet_trio.inference.live_episode import LiveEpisode
from hamlet_trio.inference.message_sender import MessageSender
from hamlet_trio.inference.recording_worker import RecordingWorker
from hamlet_trio.inference.refusals import refusal
from hamlet_trio.inference.replay import Replay
from hamlet_trio.inference.session_snapshot import ReplayFacts
from hamlet_trio.protocol.errors import ErrorCode
from hamlet_trio.protocol.frames import NO_POLICY_VIEW, PolicyView, ShownOutputs
from hamlet_trio.protocol.messages import ReplayEnded, StateUpdate
from hamlet_trio.world import WorldConfig


class ReplayPlayer:
    """Show the replay that is on in a session, if one is, and its current step.

    The session's own episode waits meanwhile, unchanged.
    """

    def __init__(
        self, episode: LiveEpisode, recordings: RecordingWorker, sender: MessageSender, share: Share
    ) -> None:
        self._episode: Final = episode
        self._recordings = recordings
        self._sender = sender
        self._share = share
        self._replay: Replay | None = None
        self._step = 0
        self._agent: int | None = None

    @property
    def is_on(self) -> bool:
        """Whether a replay is on."""
        return self._replay is not None

    @property
    def shows_recording(self) -> bool:
        """Whether the replay of a recording is on."""
        return self._replay is not None and self._replay.recording is not None

    @property
    def shows_own(self) -> bool:
        """Whether the session's own episode, rewound, is on."""
        return self._replay is not None and self._replay.recording is None

    @property
    def is_at_end(self) -> bool:
        """Whether the last step of the replay is on screen."""
        return self._replay is not None and self._step == self._replay.steps

    @property
    def num_agents(self) -> int:
        """The number of agents that can be followed: of the session, or of a replay that has more."""
        return max(self._episode.num_agents, 0 if self._replay is None else self._replay.num_agents)

    @property
    def view(self) -> PolicyView:
        """What frames on screen show: as in the session's own episode, but of the agent that is followed."""
        view = self._episode.view
        return view if self._replay is None or self._agent is None else replace(view, agent=self._agent)

    def follow(self, view: PolicyView) -> None:
        """Show these outputs; of the agent also in the session's own episode, if it has that many."""
        self._agent = view.agent if self.is_on else None
        agent = view.agent if view.agent < self._episode.num_agents else self._episode.view.agent
        self._episode.view = replace(view, agent=agent)

    @property
    def shown(self) -> tuple[WorldConfig, StateUpdate] | None:
        """The frame on screen and the configuration of its world, if a replay is on."""
        replay = self._replay
        return None if replay is None else (replay.config, replay.frame(self._step, NO_POLICY_VIEW))

    def facts(self) -> ReplayFacts | None:
        """Return what is on screen, if a replay is on."""
        return None if self._replay is None else ReplayFacts(self._replay.recording, self._step)

    async def begin(self, replay: Replay) -> None:
        """Announce a replay, in place of the one that is on if any."""
        self._replay, self._step, self._agent = replay, 0, None
        await self._sender.send(replay.announcement(self._episode.config))

    async def rewind(self) -> None:
        """Begin a replay of the session's own episode so far."""
        episode = self._episode
        await self.begin(
            await self._recordings.rewind(episode.played, episode.players, episode.visits, self._share)
        )

    async def tell_life(self) -> None:
        """Send the whole episode on screen: the replay that is on, or the session's own so far."""
        episode = self._episode
        if self._replay is not None:
            life = await self._recordings.life(self._replay, self._share, self.view.agent)
        else:
            life = await self._recordings.own_life(episode.played, self._share, self.view.agent)
        await self._sender.send(life)

    async def seek(self, step: int) -> None:
        """Show a step, or the last one if there are fewer."""
        assert self._replay is not None
        self._step = min(step, self._replay.steps)
        visits = self._replay.visits_at(self._step)
        frame = self._replay.frame_of_visits(self._step, self.view, visits)
        await self._sender.send_frame(frame, visits)

    async def forward(self) -> None:
        """Show the next step, if there is one."""
        if not self.is_at_end:
            await self.seek(self._step + 1)

    def inspect(self) -> ShownOutputs:
        """Return the outputs at the step on screen, as far as wanted and recorded."""
        assert self._replay is not None
        view = self.view
        outputs = self._replay.outputs_at(self._step, view.agent)
        return ShownOutputs(
            outputs.q_values if view.q_values else None,
            outputs.attention if view.attention else None,
            outputs.option_values if view.q_values else None,
        )

    async def branch(self) -> None:
        """End the replay and continue live from the step on screen, in a new episode that branches off there.

        At the end of the session's own episode, that episode itself continues. Raises `BadMessageError`
        where nothing can branch off; nothing has changed then.
        """
        assert self._replay is not None
        replay, config = self._replay, self._episode.config
        if self.shows_own and self.is_at_end:
            await self.end()
            return
        if not replay.can_branch_in(config):
            raise refusal(ErrorCode.CANNOT_BRANCH, "take_control")
        if replay.is_over_at(self._step, config.max_steps):
            raise refusal(ErrorCode.RECORDING_ENDED, "take_control")
        await self.end()
        await self._episode.branch(replay, self._step)

    async def end(self) -> None:
        """End the replay, if one is on."""
        if self._replay is not None:
            recording, self._replay = self._replay.recording, None
            await self._sender.send(ReplayEnded(recording))
