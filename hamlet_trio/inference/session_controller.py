"""The playhead: the one owner of a session's state, which waits for the next command or the next deadline."""

import math
from typing import Final, TypeAlias

import trio
from msgspec import UNSET

from hamlet_trio.inference.engine_messages import NO_POLICY_VIEW, PolicyView
from hamlet_trio.inference.live_episode import LiveEpisode
from hamlet_trio.inference.load_queue import Keeping, LoadQueue, Outcome, SessionEvent
from hamlet_trio.inference.message_sender import MessageSender
from hamlet_trio.inference.pace import Pace
from hamlet_trio.inference.policies import LoadedPolicy, PolicyLease
from hamlet_trio.inference.replay import Replay
from hamlet_trio.inference.replay_player import ReplayPlayer, ended
from hamlet_trio.inference.session_queue import SessionQueue
from hamlet_trio.inference.statistics import SessionCounters
from hamlet_trio.protocol import commands, messages
from hamlet_trio.protocol.errors import BadMessageError, ErrorCode
from hamlet_trio.recording.info import RecordingInfo

_Drive: TypeAlias = (
    commands.Play | commands.Pause | commands.SetSpeed | commands.Status | commands.ReleaseControl
)

_TOO_MANY_WAIT: Final = BadMessageError(
    ErrorCode.RATE_LIMITED, "Too many commands wait already; this one was not carried out."
)


class SessionController:
    """Plays one session: takes its mail in order, makes a step when a turn is due, sends what comes of it.

    What it plays is the session's own episode or, while one is on, a replay, for which the own one waits.
    Everything happens in this one task, one thing after another. So a pause needs no lock: a step under way
    is completed and its frame sent before the command is even looked at, and nothing follows the answer. When
    the client reads slowly, the playhead waits in `outgoing`.
    """

    def __init__(
        self,
        *,
        live: LiveEpisode,
        projector: ReplayPlayer,
        lease: PolicyLease,
        errands: LoadQueue,
        mailbox: SessionQueue[SessionEvent],
        outgoing: MessageSender,
        counters: SessionCounters,
    ) -> None:
        self._live = live
        self._projector = projector
        self._lease = lease
        self._errands = errands
        self._mailbox = mailbox
        self._outgoing = outgoing
        self._counters = counters
        self._pace = Pace(trio.current_time())
        self._playing = False
        self._human = False

    async def run(self, session_id: str, available_models: list[str]) -> None:
        """Greet the client and play until cancelled. Raises `EngineError` when there is no playing on."""
        model = self._live.model
        await self._outgoing.send(
            messages.Connected(available_models, session_id, model.name, model.network_type)
        )
        await self._live.begin()
        while True:
            deadline = self._deadline()
            mail = await self._mailbox.get(deadline)
            if mail is None:
                self._outgoing.due = deadline
                await self._take_turn()
            else:
                self._outgoing.due = trio.current_time()
                try:
                    await self._take_mail(mail)
                except BadMessageError as error:
                    await self._refuse(error)
            for _ in range(self._mailbox.take_surplus()):
                await self._refuse(_TOO_MANY_WAIT)

    # --- turns ---------------------------------------------------------------------------------------------

    @property
    def _intermission(self) -> bool:
        """Whether the next turn begins an episode rather than making a step."""
        return self._live.over and not self._projector.is_on

    def _deadline(self) -> float:
        """When the next turn is due; never while paused, nor in an episode that a person plays."""
        if self._playing and (not self._human or self._live.over or self._projector.is_on):
            return self._pace.deadline(self._intermission)
        return math.inf

    async def _take_turn(self) -> None:
        if not self._pace.take_turn(trio.current_time(), self._intermission):
            self._counters.late_turns += 1
        if self._projector.is_on:
            await self._forward()
        elif self._live.over:
            await self._live.begin()
        else:
            await self._live.advance()

    async def _forward(self) -> None:
        """One step of the replay, which pauses by itself at its end."""
        await self._projector.forward()
        if self._playing and self._projector.is_at_end:
            self._playing = False
            await self._tell_playback()

    # --- mail ----------------------------------------------------------------------------------------------

    async def _take_mail(self, mail: SessionEvent) -> None:
        """Carry out a command or take in what came of an errand; raises `BadMessageError` to refuse it."""
        match mail:
            case commands.Step():
                await self._step()
            case commands.Act():
                await self._act(mail.action)
            case commands.TakeControl():
                await self._take_control()
            case commands.Reset():
                await self._reset()
            case commands.SetView():
                await self._set_view(mail)
            case commands.Seek():
                await self._seek(mail.step)
            case commands.LeaveReplay():
                await self._leave_replay()
            case commands.RecordEpisode():
                self._record()
            case commands.LoadModel() | commands.LoadRecording():
                self._errands.order(mail)
            case LoadedPolicy() | Replay() | RecordingInfo() | BadMessageError():
                await self._take_outcome(mail)
            case _:
                await self._drive(mail)

    async def _take_outcome(self, outcome: Outcome) -> None:
        match outcome:
            case LoadedPolicy():
                await self._change_model(outcome)
            case Replay():
                self._playing = False
                await self._projector.begin(outcome)
                await self._tell_playback()
                await self._projector.go_to(0)
            case RecordingInfo():
                await self._outgoing.send(messages.RecordingSaved(outcome))
            case BadMessageError():
                raise outcome

    async def _drive(self, command: _Drive) -> None:
        """The commands that are answered with `playback`."""
        now = trio.current_time()
        starts = False
        match command:
            case commands.Play():
                await self._go_on_if_rewound()
                starts = not self._playing
                self._playing = True
            case commands.Pause():
                self._playing = False
            case commands.SetSpeed():
                self._pace.set_speed(command.speed, now, self._intermission)
            case commands.ReleaseControl():
                if self._human and not self._live.over and not self._projector.is_on:
                    self._pace.restart(now)
                self._human = False
            case commands.Status():
                pass
        await self._tell_playback()
        if starts:
            self._pace.restart(now)
            if self._intermission:
                await self._live.begin()
            elif self._projector.is_at_end:
                await self._projector.go_to(0)

    async def _take_control(self) -> None:
        if self._projector.is_on:
            await self._projector.go_on()
        self._human = True
        await self._tell_playback()

    async def _reset(self) -> None:
        self._pace.restart(trio.current_time())
        await self._projector.end()
        await self._live.end("reset")
        await self._live.begin()

    async def _step(self) -> None:
        if self._human and not self._projector.shows_recording:
            raise _error(
                ErrorCode.HUMAN_IN_CONTROL,
                "A person plays this session: send `act`, or `release_control` first.",
                "step",
            )
        if self._playing:
            raise _error(
                ErrorCode.STEP_WHILE_PLAYING, "`step` works while paused only; send `pause` first.", "step"
            )
        if self._projector.shows_recording:
            if self._projector.is_at_end:
                raise ended("step")
            await self._forward()
            return
        await self._go_on_if_rewound()
        if self._live.over:
            await self._live.begin()
        await self._live.advance()

    async def _act(self, action: int) -> None:
        if not self._human or self._projector.shows_recording:
            raise _error(ErrorCode.NOT_IN_CONTROL, "No person plays this; send `take_control` first.", "act")
        await self._go_on_if_rewound()
        # An episode that this step ends is followed by the next one a whole intermission after it.
        self._pace.restart(trio.current_time())
        if self._live.over:
            await self._live.begin()
        await self._live.advance(action)

    async def _set_view(self, wanted: commands.SetView) -> None:
        before = self._live.thoughts
        thoughts = self._live.thoughts = PolicyView(
            before.q_values if wanted.q_values is UNSET else wanted.q_values,
            before.attention if wanted.attention is UNSET else wanted.attention,
        )
        q_values, attention = None, None
        if self._projector.is_on:
            q_values, attention = self._projector.look(thoughts)
        elif thoughts != NO_POLICY_VIEW:
            q_values, attention = await self._live.look()
        await self._outgoing.send(messages.View(thoughts.q_values, thoughts.attention, q_values, attention))

    async def _change_model(self, model: LoadedPolicy) -> None:
        assert model.name is not None  # only files are loaded on command
        self._lease.give_back(self._live.model)
        self._live.change_model(model)
        self._pace.restart(trio.current_time())
        await self._outgoing.send(messages.ModelLoaded(model.name, model.network_type))
        await self._projector.end()
        await self._live.end("model_changed")
        await self._live.begin()

    # --- recordings and replays ----------------------------------------------------------------------------

    def _record(self) -> None:
        if self._projector.shows_recording:
            raise _error(
                ErrorCode.NOTHING_TO_RECORD,
                "This is a recording already; send `leave_replay` first.",
                "record",
            )
        played = self._live.played
        if not played.actions:
            raise _error(
                ErrorCode.NOTHING_TO_RECORD,
                "The episode has no step yet; send `record` after its first one.",
                "record",
            )
        self._errands.order(Keeping(played, self._live.model))

    async def _seek(self, step: int) -> None:
        if not self._projector.is_on:
            self._playing = False
            await self._projector.rewind()
        self._pace.restart(trio.current_time())
        await self._tell_playback()
        await self._projector.go_to(step)

    async def _leave_replay(self) -> None:
        if not self._projector.is_on:
            raise _error(
                ErrorCode.NOT_IN_REPLAY, "No replay is on; this is the session's own episode.", "leave_replay"
            )
        self._playing = False
        await self._projector.end()
        await self._tell_playback()
        await self._live.show_again()

    async def _go_on_if_rewound(self) -> None:
        """Whoever plays on in a rewound episode goes on from the step on screen."""
        if self._projector.shows_own:
            await self._projector.go_on()

    # --- answers -------------------------------------------------------------------------------------------

    async def _tell_playback(self) -> None:
        controller: messages.Controller = "human" if self._human else "policy"
        if self._projector.is_on:
            controller = "recording"
        await self._outgoing.send(messages.Playback(self._playing, self._pace.speed, controller))

    async def _refuse(self, error: BadMessageError) -> None:
        self._counters.errors[error.code] += 1
        await self._outgoing.send(messages.Error(error.message, error.code, error.command, error.field))


def _error(code: ErrorCode, message: str, command: str) -> BadMessageError:
    return BadMessageError(code, message, command=command)
