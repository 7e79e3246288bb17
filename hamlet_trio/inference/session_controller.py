"""The session controller: the one owner of a session's state; waits for its next command or deadline."""

import math
from collections.abc import Awaitable
from typing import Final, Unpack

import trio
from msgspec import UNSET

from hamlet_trio.common.agents import AGENT_IDS
from hamlet_trio.inference.fair_share import FairShare, Share
from hamlet_trio.inference.held_commands import QUEUE_FULL, HeldCommands
from hamlet_trio.inference.load_queue import JobDone, SaveEpisode, SessionEvent
from hamlet_trio.inference.policies import LoadedPolicy
from hamlet_trio.inference.refusals import recorded_already, refusal
from hamlet_trio.inference.replay import Replay
from hamlet_trio.inference.session_claim import ClaimedSession
from hamlet_trio.inference.session_queue import SessionQueue
from hamlet_trio.inference.session_state import SessionParts, SessionState
from hamlet_trio.protocol import commands, messages
from hamlet_trio.protocol.errors import BadMessageError, ErrorCode
from hamlet_trio.protocol.frames import PolicyView, ShownOutputs
from hamlet_trio.recording.info import RecordingInfo
from hamlet_trio.world.world_file import World

# What changes nothing that another instance would have to know at once.
_UNHURRIED: Final = commands.Step | commands.Act | commands.Status | commands.Seek | commands.ResumeSession


class SessionController(SessionState):
    """Play one session: carry out its commands in order, take its turns when due, send the results.

    It plays the session's own episode or, while one is on, a replay, for which that episode waits.
    Everything happens in this one task, one thing after another. So a pause needs no lock: a step in progress
    is completed and its frame sent before the command is read, and nothing follows the answer. When the
    client reads slowly, the controller waits in the message sender.

    While a model or a recording is loaded, commands that came after it are held, so that all take effect in
    the order in which they were sent; but turns go on, and `pause` and `status` are carried out at once.
    Bounds: as many are held as the queue holds, more are refused with `rate_limited`; `MAX_WAITING` of them
    may be loads, more are refused with `too_many_loads`.
    """

    def __init__(
        self,
        *,
        queue: SessionQueue[SessionEvent],
        work: FairShare,
        share: Share,
        **parts: Unpack[SessionParts],
    ) -> None:
        super().__init__(**parts)
        self._queue = queue
        self._work = work
        self._share = share
        self._loading = False
        self._left: SaveEpisode | None = None  # the episode that another model or world ends, as it was
        self._is_new = True
        self._held = HeldCommands(queue.limit)

    async def run(self, available_models: list[str]) -> None:
        """Greet the client and play until cancelled. Raises `EngineError` if the engine fails."""
        model = self._episode.model
        await self._sender.send(
            messages.Connected(
                available_models,
                self._kept.session_id,
                model.name,
                model.network_type,
                self._world.info,
                num_agents=self._episode.num_agents,
                resume=self._kept.resume,
                proof=self._sender.proof,
            )
        )
        await self._episode.begin()
        self._kept.watch(self._snapshot, lambda: self._episode.models, self._episode.turns)
        while True:
            deadline = self._deadline()
            event = await self._next_event(deadline)
            if not isinstance(event, commands.Pause):
                if event is not None:
                    await trio.lowlevel.checkpoint()  # between the commands of a burst others have their turn
                if await self._work.admit(self._share) and event is None:
                    event = await self._next_event(-math.inf)  # what came meanwhile goes before the turn
            if event is None:
                self._sender.due = deadline
                await self._take_turn()
            else:
                self._sender.due = trio.current_time()
                self._kept.freeze()
                try:
                    await self._handle(event)
                except BadMessageError as error:
                    await self._sender.refuse(error)
            urgent = event is not None and not isinstance(event, _UNHURRIED)
            self._kept.changed(self._episode.turns, urgent=urgent)
            for _ in range(self._queue.take_overflow()):
                await self._sender.refuse(QUEUE_FULL)

    async def _next_event(self, deadline: float) -> SessionEvent | None:
        """Return the next event whose turn it is, or None at `deadline`; hold those behind a load."""
        while True:
            may_release = bool(self._held) and not self._loading
            event = await self._queue.get(-math.inf if may_release else deadline)
            if event is None:
                return self._held.take() if may_release else None
            if isinstance(event, JobDone | commands.Pause | commands.Status):
                return event
            if not (self._loading or self._held):
                return event
            if (refused := self._held.put(event)) is not None:
                await self._sender.refuse(refused)

    # --- turns ---------------------------------------------------------------------------------------------

    @property
    def _waits_for_person(self) -> bool:
        return self._human is not None and not self._episode.has_ended(self._human)

    def _deadline(self) -> float:
        """Return when the next turn is due; never while paused, nor in an episode that a person plays.

        If the person's agent has failed among others, those go on.
        """
        if self._playing and (not self._waits_for_person or self._episode.over or self._replay.is_on):
            return self._pace.deadline(self._intermission)
        return math.inf

    async def _take_turn(self) -> None:
        if not self._pace.take_turn(trio.current_time(), self._intermission):
            self._counters.late_turns += 1
        if self._replay.is_on:
            await self._forward()
        elif self._episode.over:
            self._kept.freeze()
            await self._episode.begin()
        else:
            await self._episode.step()

    async def _forward(self) -> None:
        """Make one step of the replay, which pauses by itself at its end."""
        await self._replay.forward()
        if self._playing and self._replay.is_at_end:
            self._playing = False
            await self._send_playback()

    # --- events --------------------------------------------------------------------------------------------

    async def _handle(self, event: SessionEvent) -> None:  # noqa: PLR0912 - one case for each command
        """Carry out a command or take over a job's result; raises `BadMessageError` to refuse it."""
        is_first, self._is_new = self._is_new, False
        match event:
            case commands.Step():
                await self._step()
            case commands.Act():
                await self._act(event)
            case commands.TakeControl():
                await self._take_control(event)
            case commands.Reset() | commands.SetStart():
                await self._begin_anew(event)
            case commands.SetView():
                await self._set_view(event)
            case commands.GetLife():
                await self._replay.tell_life()
            case commands.JoinClass():
                await self._sender.send(messages.ClassJoined(self._seat.join(self._kept.name)))
            case commands.GetPolicyMap():
                self._maps.ask(event, self._episode, self._replay)
            case commands.Seek():
                await self._seek(event.step)
            case commands.LeaveReplay():
                await self._leave_replay()
            case commands.RecordEpisode():
                self._record(event)
            case commands.ResumeSession() if not is_first:
                raise refusal(ErrorCode.SESSION_BUSY, "resume_session")
            case (
                commands.LoadModel()
                | commands.LoadRecording()
                | commands.SetWorld()
                | commands.ResumeSession()
            ):
                self._loads.put(event)
                self._loading = True
            case JobDone():
                await self._handle_done(event)
            case BadMessageError():
                raise event
            case _:
                await self._change_playback(event)

    async def _handle_done(self, done: JobDone) -> None:
        if not isinstance(done.job, SaveEpisode):
            self._loading = False
        match done.job, done.result:
            case _, BadMessageError() as error:
                raise error
            case commands.LoadModel() as command, LoadedPolicy() as model:
                await self._leave_for(self._world.change_model(model, command.agent))
            case commands.SetWorld() as command, (World() | None) as world:
                change = self._world.change_world(world, command, by_person=self._human is not None)
                await self._leave_for(change)
            case _, Replay() as replay:
                self._playing = False
                await self._replay.begin(replay)
                await self._send_playback()
                await self._replay.seek(0)
            case _, ClaimedSession() as claimed:
                await self._take_over(claimed)
            case _, RecordingInfo() as info:
                await self._sender.send(messages.RecordingSaved(info))

    async def _leave_for(self, change: Awaitable[None]) -> None:
        """End the episode by a change of its model or world, and begin the next one."""
        self._left = SaveEpisode(self._episode.played, self._episode.players)
        try:
            await change
        finally:
            self._left = None
        self._pace.restart(trio.current_time())
        if self._human is not None and self._human >= self._episode.num_agents:
            self._human = None
            await self._send_playback()
        await self._episode.begin()

    async def _change_playback(self, command: commands.PlaybackCommand) -> None:
        """Carry out one of the commands that are answered with `playback`."""
        now = trio.current_time()
        starts = False
        match command:
            case commands.Play():
                await self._branch_if_rewound()
                starts = not self._playing
                self._playing = True
            case commands.Pause():
                self._playing = False
                self._held.withdraw_steps()
            case commands.SetSpeed():
                if command.min_intermission is not UNSET:
                    self._pace.min_intermission = command.min_intermission
                self._pace.set_speed(command.speed, now, self._intermission)
            case commands.ReleaseControl():
                if self._human is not None and not self._episode.over and not self._replay.is_on:
                    self._pace.restart(now)
                self._human = None
            case commands.Status():
                pass
        await self._send_playback()
        if starts:
            self._pace.restart(now)
            if self._intermission:
                await self._episode.begin()
            elif self._replay.is_at_end:
                await self._replay.seek(0)

    async def _take_control(self, command: commands.TakeControl) -> None:
        agent = self._world.number(command.agent, "take_control")
        if self._replay.is_on:
            await self._replay.branch()
        self._human = agent
        await self._send_playback()

    async def _begin_anew(self, command: commands.Reset | commands.SetStart) -> None:
        if isinstance(command, commands.SetStart):
            self._episode.starts.choose(command)
        self._pace.restart(trio.current_time())
        await self._replay.end()
        if isinstance(command, commands.SetStart):
            await self._episode.leave("reset")
        else:
            await self._episode.end("reset")
        await self._episode.begin()

    async def _step(self) -> None:
        if self._waits_for_person and not self._replay.shows_recording:
            raise refusal(ErrorCode.HUMAN_IN_CONTROL, "step")
        if self._playing:
            raise refusal(ErrorCode.STEP_WHILE_PLAYING, "step")
        if self._replay.shows_recording:
            if self._replay.is_at_end:
                raise refusal(ErrorCode.RECORDING_ENDED, "step")
            await self._forward()
            return
        await self._branch_if_rewound()
        if self._episode.over:
            await self._episode.begin()
        await self._episode.step()

    async def _act(self, command: commands.Act) -> None:
        agent = self._human
        if command.agent is not UNSET and agent != self._world.number(command.agent, "act"):
            agent = None
        if agent is None or self._replay.shows_recording:
            raise refusal(ErrorCode.NOT_IN_CONTROL, "act")
        await self._branch_if_rewound()
        # If this step ends the episode, the next one follows a whole intermission later.
        self._pace.restart(trio.current_time())
        if self._episode.over:
            await self._episode.begin()
        await self._episode.step(command.action, agent)
        self._count_for_class()

    async def _set_view(self, wanted: commands.SetView) -> None:
        before = self._replay.view
        view = PolicyView(
            before.q_values if wanted.q_values is UNSET else wanted.q_values,
            before.attention if wanted.attention is UNSET else wanted.attention,
            before.agent if wanted.agent is UNSET else self._world.shown_number(wanted.agent, "set_view"),
        )
        self._replay.follow(view)
        if wanted.frames is not UNSET:
            self._sender.frames = wanted.frames
        if view != before:
            self._sender.send_next_in_full()
        outputs = ShownOutputs()
        if self._replay.is_on:
            outputs = self._replay.inspect()
        elif view.wants_outputs:
            outputs = await self._episode.inspect()
        agent = AGENT_IDS[view.agent] if self._replay.num_agents > 1 else UNSET
        await self._sender.send(
            messages.View(view.q_values, view.attention, *outputs, agent, self._sender.frames)
        )

    # --- recordings and replays ----------------------------------------------------------------------------

    def _record(self, command: commands.RecordEpisode) -> None:
        if self._replay.shows_recording:
            raise recorded_already()
        if command.to_end and not self._episode.over:
            self._episode.at_end = self._save_at_end
            return
        self._episode.at_end = None
        self._save()

    def _save(self) -> None:
        job = self._left or SaveEpisode(self._episode.played, self._episode.players)
        if not job.played.actions:
            raise refusal(ErrorCode.NOTHING_TO_RECORD, "record")
        self._loads.put(job)

    async def _save_at_end(self) -> None:
        try:
            self._save()
        except BadMessageError as error:
            await self._sender.refuse(error)

    async def _seek(self, step: int) -> None:
        if not self._replay.is_on:
            self._playing = False
            await self._replay.rewind()
        self._pace.restart(trio.current_time())
        await self._send_playback()
        self._sender.send_next_in_full()
        await self._replay.seek(step)

    async def _leave_replay(self) -> None:
        if not self._replay.is_on:
            raise refusal(ErrorCode.NOT_IN_REPLAY, "leave_replay")
        self._playing = False
        await self._replay.end()
        await self._send_playback()
        await self._episode.show_again()

    async def _branch_if_rewound(self) -> None:
        """Continue a rewound episode from the step on screen, if one is on."""
        if self._replay.shows_own:
            await self._replay.branch()
