"""The playhead: the one owner of a session's state, which waits for the next command or the next deadline."""

import math
from typing import Final, Literal, TypeAlias

import trio
from msgspec import UNSET, Struct

from hamlet_trio.inference.engine import PolicyEngine, Slot
from hamlet_trio.inference.frames import FrameMaker, HeatMap
from hamlet_trio.inference.mailbox import Mailbox
from hamlet_trio.inference.moment import NO_THOUGHTS, Moment, Thoughts
from hamlet_trio.inference.pace import Pace
from hamlet_trio.inference.policies import Lease, LoadedPolicy
from hamlet_trio.inference.statistics import SessionCounters
from hamlet_trio.protocol import commands, messages
from hamlet_trio.protocol.errors import BadMessageError, ErrorCode

Mail: TypeAlias = commands.InferenceCommand | BadMessageError | LoadedPolicy
"""A command, what was wrong with one, or a policy that was loaded on command."""

Outgoing: TypeAlias = tuple[str, float | None]
"""A message to be sent and, of a frame, when it was due or asked for."""

_Drive: TypeAlias = (
    commands.Play
    | commands.Pause
    | commands.SetSpeed
    | commands.Status
    | commands.TakeControl
    | commands.ReleaseControl
)

_TOO_MANY_WAIT: Final = BadMessageError(
    ErrorCode.RATE_LIMITED, "Too many commands wait already; this one was not carried out."
)

EndReason = Literal["meter_depleted", "max_steps", "reset", "model_changed"]


class Playhead:
    """Plays one session: takes its mail in order, steps its world when a turn is due, sends what comes of it.

    Everything happens in this one task, one thing after another. So a pause needs no lock: a step under way
    is completed and its frame sent before the command is even looked at, and nothing follows the answer. When
    the client reads slowly, `outgoing` is full, and the playhead waits there.
    """

    def __init__(
        self,
        *,
        engine: PolicyEngine,
        slot: Slot,
        lease: Lease,
        model: LoadedPolicy,
        mailbox: Mailbox[Mail],
        outgoing: trio.MemorySendChannel[Outgoing],
        loads: trio.MemorySendChannel[str],
        counters: SessionCounters,
    ) -> None:
        self._engine = engine
        self._slot = slot
        self._lease = lease
        self._model = model
        self._mailbox = mailbox
        self._outgoing = outgoing
        self._loads = loads
        self._counters = counters
        self._frames = FrameMaker(engine.config)
        self._heat_map = HeatMap(engine.config)
        self._thoughts = NO_THOUGHTS
        self._pace = Pace(trio.current_time())
        self._playing = False
        self._human = False
        self._episode = 0
        self._step = 0
        self._total_reward = 0.0
        self._over = False
        self._due = trio.current_time()

    async def run(self, session_id: str, available_models: list[str]) -> None:
        """Greet the client and play until cancelled. Raises `EngineError` when there is no playing on."""
        await self._send(
            messages.Connected(available_models, session_id, self._model.name, self._model.network_type)
        )
        await self._begin_episode()
        while True:
            deadline = self._deadline()
            mail = await self._mailbox.get(deadline)
            if mail is None:
                self._due = deadline
                await self._take_turn()
            else:
                self._due = trio.current_time()
                await self._take_mail(mail)
            for _ in range(self._mailbox.take_surplus()):
                await self._refuse(_TOO_MANY_WAIT)

    # --- turns ---------------------------------------------------------------------------------------------

    def _deadline(self) -> float:
        """When the next turn is due; never while paused, nor in an episode that a person plays."""
        if self._playing and (self._over or not self._human):
            return self._pace.deadline(self._over)
        return math.inf

    async def _take_turn(self) -> None:
        if not self._pace.take_turn(trio.current_time(), self._over):
            self._counters.late_turns += 1
        if self._over:
            await self._begin_episode()
        else:
            await self._advance()

    async def _begin_episode(self) -> None:
        self._episode += 1
        self._counters.episodes += 1
        self._step = 0
        self._total_reward = 0.0
        self._over = False
        await self._send(messages.EpisodeStart(self._episode, self._model.name))
        await self._show(await self._engine.reset(self._slot, self._model.policy, self._thoughts))

    async def _advance(self, action: int | None = None) -> None:
        """One step and its frame, and the episode's end where it was the last."""
        moment = await self._engine.step(self._slot, self._model.policy, self._thoughts, action=action)
        self._step += 1
        self._total_reward += moment.reward
        await self._show(moment)
        if moment.terminated or moment.truncated:
            await self._end_episode("meter_depleted" if moment.terminated else "max_steps", moment)

    async def _end_episode(self, reason: EndReason, last: Moment | None = None) -> None:
        """Announce the end of the episode, unless it has ended before."""
        if self._over:
            return
        self._over = True
        failure = None if last is None else last.failure_reason
        await self._send(messages.EpisodeEnd(self._episode, self._step, self._total_reward, reason, failure))

    async def _show(self, moment: Moment) -> None:
        self._heat_map.visit(moment.x, moment.y)
        self._counters.frames += 1
        await self._send(
            self._frames.make(
                moment,
                episode=self._episode,
                step=self._step,
                total_reward=self._total_reward,
                heat_map=self._heat_map,
                thoughts=self._thoughts,
            ),
            due=self._due,
        )

    async def _send(self, message: Struct, *, due: float | None = None) -> None:
        await self._outgoing.send((messages.encode(message), due))

    # --- mail ----------------------------------------------------------------------------------------------

    async def _take_mail(self, mail: Mail) -> None:
        match mail:
            case commands.Step():
                await self._step_once()
            case commands.Act():
                await self._act(mail.action)
            case commands.Reset():
                await self._reset()
            case commands.SetView():
                await self._set_view(mail)
            case commands.LoadModel():
                await self._order_load(mail.model)
            case LoadedPolicy():
                await self._change_model(mail)
            case BadMessageError():
                await self._refuse(mail)
            case _:
                await self._drive(mail)

    async def _drive(self, command: _Drive) -> None:
        """The commands that are answered with `playback`."""
        now = trio.current_time()
        starts = False
        match command:
            case commands.Play():
                starts = not self._playing
                self._playing = True
            case commands.Pause():
                self._playing = False
            case commands.SetSpeed():
                self._pace.set_speed(command.speed, now, self._over)
            case commands.TakeControl():
                self._human = True
            case commands.ReleaseControl():
                if self._human and not self._over:
                    self._pace.restart(now)
                self._human = False
            case commands.Status():
                pass
        await self._send(
            messages.Playback(self._playing, self._pace.speed, "human" if self._human else "policy")
        )
        if starts:
            self._pace.restart(now)
            if self._over:
                await self._begin_episode()

    async def _reset(self) -> None:
        self._pace.restart(trio.current_time())
        await self._end_episode("reset")
        await self._begin_episode()

    async def _step_once(self) -> None:
        if self._human:
            await self._refuse(
                _error(
                    ErrorCode.HUMAN_IN_CONTROL,
                    "A person plays this session: send `act`, or `release_control` first.",
                    "step",
                )
            )
        elif self._playing:
            await self._refuse(
                _error(
                    ErrorCode.STEP_WHILE_PLAYING,
                    "`step` works while paused only; send `pause` first.",
                    "step",
                )
            )
        else:
            if self._over:
                await self._begin_episode()
            await self._advance()

    async def _act(self, action: int) -> None:
        if not self._human:
            await self._refuse(
                _error(
                    ErrorCode.NOT_IN_CONTROL,
                    "The policy plays this session; send `take_control` first.",
                    "act",
                )
            )
            return
        # An episode that this step ends is followed by the next one a whole intermission after it.
        self._pace.restart(trio.current_time())
        if self._over:
            await self._begin_episode()
        await self._advance(action)

    async def _set_view(self, wanted: commands.SetView) -> None:
        before = self._thoughts
        self._thoughts = Thoughts(
            before.q_values if wanted.q_values is UNSET else wanted.q_values,
            before.attention if wanted.attention is UNSET else wanted.attention,
        )
        q_values, attention = None, None
        if self._thoughts != NO_THOUGHTS:
            moment = await self._engine.look(self._slot, self._model.policy, self._thoughts)
            q_values, attention = moment.q_values, moment.attention
        await self._send(
            messages.View(self._thoughts.q_values, self._thoughts.attention, q_values, attention)
        )

    async def _order_load(self, name: str) -> None:
        try:
            self._loads.send_nowait(name)
        except trio.WouldBlock:
            await self._refuse(
                _error(
                    ErrorCode.TOO_MANY_LOADS,
                    "Too many models wait to be loaded; wait for `model_loaded`, then send it again.",
                    "load_model",
                )
            )

    async def _change_model(self, model: LoadedPolicy) -> None:
        assert model.name is not None  # only files are loaded on command
        self._lease.give_back(self._model)
        self._model = model
        self._heat_map.clear()
        self._pace.restart(trio.current_time())
        await self._send(messages.ModelLoaded(model.name, model.network_type))
        await self._end_episode("model_changed")
        await self._begin_episode()

    async def _refuse(self, error: BadMessageError) -> None:
        self._counters.errors.count(error.code)
        await self._send(messages.Error(error.message, error.code, error.command, error.field))


def _error(code: ErrorCode, message: str, command: str) -> BadMessageError:
    return BadMessageError(code, message, command=command)
