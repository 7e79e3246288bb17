"""What a session shows in place of its own episode: a recording, or that episode rewound."""

from typing import Final

from hamlet_trio.inference.engine_messages import PolicyView
from hamlet_trio.inference.live_episode import LiveEpisode
from hamlet_trio.inference.message_sender import MessageSender
from hamlet_trio.inference.recording_worker import RecordingWorker
from hamlet_trio.inference.replay import Replay
from hamlet_trio.protocol.errors import BadMessageError, ErrorCode
from hamlet_trio.protocol.messages import ReplayEnded


class ReplayPlayer:
    """The replay of one session, while one is on: a tape, and the step of it that is on screen.

    The session's own episode waits meanwhile, unchanged.
    """

    def __init__(self, live: LiveEpisode, archive: RecordingWorker, outgoing: MessageSender) -> None:
        self._live: Final = live
        self._archive = archive
        self._outgoing = outgoing
        self._tape: Replay | None = None
        self._step = 0

    @property
    def is_on(self) -> bool:
        """Whether a replay is on."""
        return self._tape is not None

    @property
    def shows_recording(self) -> bool:
        """Whether it is that of a recording."""
        return self._tape is not None and self._tape.recording is not None

    @property
    def shows_own(self) -> bool:
        """Whether it is the session's own episode, rewound."""
        return self._tape is not None and self._tape.recording is None

    @property
    def is_at_end(self) -> bool:
        """Whether the last step of the replay is on screen."""
        return self._tape is not None and self._step == self._tape.steps

    async def begin(self, tape: Replay) -> None:
        """Announce a replay, in place of the one that is on if one is."""
        self._tape, self._step = tape, 0
        await self._outgoing.send(tape.announcement(self._archive.config))

    async def rewind(self) -> None:
        """Begin a replay of the session's own episode so far."""
        live = self._live
        await self.begin(await self._archive.rewind(live.played, live.model.policy, live.visits))

    async def go_to(self, step: int) -> None:
        """Show a step, or the last one where there are not so many."""
        assert self._tape is not None
        self._step = min(step, self._tape.steps)
        await self._outgoing.show(self._tape.frame(self._step, self._live.thoughts))

    async def forward(self) -> None:
        """Show the next step, if there is one."""
        if not self.is_at_end:
            await self.go_to(self._step + 1)

    def look(self, wanted: PolicyView) -> tuple[list[float] | None, list[list[float]] | None]:
        """Of what is thought of the step on screen, what is wanted and there."""
        assert self._tape is not None
        q_values, attention = self._tape.thoughts_at(self._step)
        return q_values if wanted.q_values else None, attention if wanted.attention else None

    async def go_on(self) -> None:
        """End the replay and go on live from the step on screen: an episode branches off there.

        At the end of the session's own episode that one goes on itself. Raises `BadMessageError` where there
        is no going on; nothing has changed then.
        """
        assert self._tape is not None
        tape, config = self._tape, self._archive.config
        if self.shows_own and self.is_at_end:
            await self.end()
            return
        if not tape.can_go_on_in(config):
            raise BadMessageError(
                ErrorCode.CANNOT_BRANCH,
                "The recording's world is not that of this server; it can only be watched.",
                command="take_control",
            )
        if tape.is_over_at(self._step, config.max_steps):
            raise ended("take_control")
        await self.end()
        await self._live.branch(tape, self._step)

    async def end(self) -> None:
        """End the replay, if one is on."""
        if self._tape is not None:
            recording, self._tape = self._tape.recording, None
            await self._outgoing.send(ReplayEnded(recording))


def ended(command: str) -> BadMessageError:
    """The refusal of a command that goes beyond the end of a replay."""
    return BadMessageError(
        ErrorCode.RECORDING_ENDED,
        "The replay is at its end; send `seek` to go back, or `leave_replay`.",
        command=command,
    )
