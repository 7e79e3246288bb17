"""Follow a run or sweep of another instance: show it here, pass orders on, notice when its instance dies."""

import math
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec
import trio

from hamlet_trio.agent.models import DEFAULT_MODEL
from hamlet_trio.logs import Logger
from hamlet_trio.protocol.commands import Pause, Resume, SetShow, Stop, TrainingCommand, training_commands
from hamlet_trio.protocol.errors import BadMessageError, ErrorCode
from hamlet_trio.training.followed_history import FollowedHistory
from hamlet_trio.training.hub import Hub, Viewer
from hamlet_trio.training.inputs import Inputs, RunLost, SharedBeat, SharedNews
from hamlet_trio.training.plan import RunPlan
from hamlet_trio.training.remote_viewer import RemoteViewer
from hamlet_trio.training.run_status import RunStatus
from hamlet_trio.training.store import RunRecord, RunStore
from hamlet_trio.training.sweep.served_sweep import ServedSweep
from hamlet_trio.training.takeover import StillHeldError, plan_takeover
from hamlet_trio.training.transitions import Phase

if TYPE_CHECKING:
    from hamlet_trio.shared import SharedRun
    from hamlet_trio.shared.run_log import BeatResult, News, RunBoard, SentOrder, ToldEvent, ToldFrame

GIVEN_UP: Final = 60.0
"""Seconds after which a run that no instance can go on with counts as failed."""
HUNG: Final = 600.0
"""The same for a run whose trainer is still there: it saves, on a busy machine for long, or hangs."""

_MAX_INSTANCES: Final = 64

_REDIS_AWAY: Final = "Redis does not answer: the run goes on at another instance, and is shown again then."
_REDIS_FULL: Final = (
    "Redis is full: the run goes on at another instance, and is shown again once there is room."
)
_ALONE: Final = "The instance that trained the run is gone; another one is about to go on with it."
_LOST: Final = "The instance that trained the run is gone, and no other one could go on with it."


class RunSharing:
    """Follow the run of another instance.

    Only the task of the training service calls the methods, but for `forward`. Events come to the viewers as
    they were told, in the order of their numbers; where some are missing, because Redis has lost them, the
    viewers are told the whole state instead, like newcomers.

    Attributes:
        is_alone: the run that is followed has no instance any more.
        takeovers: runs that this instance went on with.
        gaps: how often events were missing.
    """

    def __init__(
        self,
        shared: "SharedRun",
        status: RunStatus,
        sweep: ServedSweep,
        hub: Hub,
        *,
        history: FollowedHistory,
        log: Logger,
    ) -> None:
        self.is_alone = False
        self.takeovers = self.gaps = 0
        self._shared: Final = shared
        self._status: Final = status
        self._sweep: Final = sweep
        self._hub: Final = hub
        self._history: Final = history
        self._log: Final = log
        self._source = ""
        self._number = 0
        self._needs_board = False
        self._told_phase: tuple[Phase, str | None] | None = None  # while another one is shown here
        self._up_since = math.inf
        self._alone_since = self._sweep_alone_since = math.inf
        self._is_held = False  # by the trainer of the instance that is gone
        self._scope = trio.CancelScope(shield=True)
        self._late: list[SharedNews] = []
        self._heard: dict[str, int] = {}  # the last order of each instance

    async def open(self, nursery: trio.Nursery, inputs: Inputs) -> None:
        """Begin to follow, with the state that was told last; what comes then goes into the `inputs`.

        Goes on while the nursery is cancelled, until `close`.
        """
        board = await self._shared.open()
        if board is not None:
            self.restore(board)
            await self._fill_history()

        async def on_news(news: "News") -> None:
            handled = trio.Event()
            await inputs.sender.send(SharedNews(news, handled))
            await handled.wait()

        async def on_beat(beat: "BeatResult | None") -> None:
            await inputs.sender.send(SharedBeat(beat))

        async def on_lost() -> None:
            await inputs.sender.send(RunLost())

        async def serve() -> None:
            with self._scope:
                await self._shared.run(on_news, on_beat, on_lost)

        self._scope = trio.CancelScope(shield=True)
        nursery.start_soon(serve)

    async def close(self) -> None:
        """Leave a run that is on to the others, and follow no more."""
        await self._shared.leave()
        self._scope.cancel()

    async def on_input(
        self, received: SharedNews | SharedBeat, *, is_free: bool
    ) -> list[tuple[RemoteViewer, TrainingCommand | BadMessageError]]:
        """Deal with what came; return the orders to carry out. `is_free`: no run is on here."""
        if isinstance(received, SharedBeat):
            self.is_alone = await self._hear(received.beat) and is_free
            return []
        if not is_free and not self._shared.takes_part:
            self._late.append(received)  # another instance took the run, which ends here first
            return []
        news, orders = received.news, list[tuple[RemoteViewer, TrainingCommand | BadMessageError]]()
        if self._shared.takes_part:
            orders = [self._decode(order) for order in news.orders if self._is_new(order)]
        else:
            await self._take_in(news)
        received.handled.set()
        return orders

    def _is_new(self, order: "SentOrder") -> bool:
        """Return whether an order comes for the first time: what Redis was slow to take may come twice."""
        if order.number <= self._heard.get(order.instance, 0):
            return False
        self._heard.pop(order.instance, None)
        self._heard[order.instance] = order.number
        if len(self._heard) > _MAX_INSTANCES:
            del self._heard[next(iter(self._heard))]
        return True

    def _decode(self, order: "SentOrder") -> tuple[RemoteViewer, TrainingCommand | BadMessageError]:
        viewer = RemoteViewer(self._shared, order)
        try:
            return viewer, training_commands.decode(order.command)
        except BadMessageError as error:
            return viewer, error

    @property
    def follows(self) -> bool:
        """Whether a run is on that another instance trains, or trained until it died."""
        return self._status.is_training and not self._shared.takes_part

    @property
    def follows_sweep(self) -> bool:
        """Whether a sweep is on that another instance runs, or ran until it died."""
        return self._sweep.is_elsewhere and not self._shared.takes_part

    @property
    def followed(self) -> list[str]:
        """The run that another instance trains, or is about to go on with."""
        run_id = self._status.run_id
        return [run_id] if self.follows and run_id is not None else []

    # --- what is told ----------------------------------------------------------------------------------

    async def _take_in(self, news: "News") -> None:
        """Show what another instance told."""
        if news.board is not None:
            self.restore(news.board)
        frames = deque(news.frames)
        for event in news.events:
            self._show_frames(frames, event)
            if await self._is_next(event):
                self._source, self._number = event.source, event.number
                self._alone_since = math.inf
                self._show_again()
                try:
                    if not self._sweep.follow(event.text):
                        message = self._status.follow(event.text, event.at)
                        if self._history.hear(self._status.run_id, message, event.at):
                            await self._history.keep()
                except msgspec.DecodeError as error:  # of a newer version
                    self._log.info("event_not_understood", reason=str(error))
                self._hub.broadcast_event(event.text)
        self._show_frames(frames, None)

    async def _is_next(self, event: "ToldEvent") -> bool:
        """Return whether an event is to be shown; if some before it are missing, show the state first."""
        if event.source != self._source and event.number == 1:
            return True
        if event.source == self._source and event.number <= self._number + 1:
            return event.number == self._number + 1
        self.gaps += 1
        self._needs_board = True
        await self._catch_up()
        return event.source != self._source or event.number > self._number

    async def _catch_up(self) -> None:
        board = await self._shared.board()
        if board is not None and (board.source != self._source or board.number > self._number):
            self.restore(board)
            await self._fill_history()
        self._log.warning("run_events_missed", found=board is not None)

    async def _fill_history(self) -> None:
        """Have the history take in what was told while this instance was not there."""
        run_id, episode = self._status.run_id, self._status.last_episode
        if run_id is None or await self._history.reaches(run_id, episode):
            return
        past = await self._shared.told_before()
        await trio.to_thread.run_sync(self._history.hear_past, past, run_id)

    def restore(self, board: "RunBoard") -> None:
        """Show the state of the run as it was told last."""
        try:
            sweep = self._status.restore(board.snapshot)
        except msgspec.DecodeError as error:
            self._log.warning("snapshot_not_understood", reason=str(error))
            return
        self._needs_board = False
        self._source, self._number = board.source, board.number
        self._told_phase = None
        for message in (self._status.status(), *self._status.history()):
            self._hub.broadcast(message)
        if sweep is not None:
            self._sweep.restore(sweep)

    def _show_frames(self, frames: "deque[ToldFrame]", event: "ToldEvent | None") -> None:
        """Show the frames that come before an event, or all; those whose events are missing are left out."""
        while frames:
            frame = frames[0]
            if event is not None and frame.source != self._source and frame.source == event.source:
                return
            if event is not None and frame.source == event.source and frame.after >= event.number:
                return
            frames.popleft()
            if frame.source == self._source and frame.after <= self._number:
                self._show_frame(frame.text)

    def _show_frame(self, text: str) -> None:
        try:
            is_progress = self._sweep.follow(text)
        except msgspec.DecodeError:  # of a newer version
            is_progress = True
        if is_progress:
            self._hub.broadcast_event(text)
        else:
            self._hub.broadcast_frame(text)

    # --- who trains ------------------------------------------------------------------------------------

    async def _hear(self, beat: "BeatResult | None") -> bool:
        """Take note of who trains and watches; return whether the run needs another instance."""
        now = trio.current_time()
        await self._history.keep()
        if beat is None:
            self._up_since = math.inf
            if self.follows:
                self._show_instead(_REDIS_AWAY)
            return False
        self._hub.set_elsewhere(beat.viewers)
        self._up_since = min(self._up_since, now)
        if self._needs_board and not self._shared.takes_part:
            await self._catch_up()
        self._watch_sweep(beat.holder, now)
        # An instance that ends a run gives its lease back with the last that it tells.
        if not self.follows or beat.holder or not self._shared.has_read(beat.last_event):
            self._alone_since = math.inf
            if beat.is_full and self.follows:
                self._show_instead(_REDIS_FULL)
            else:
                self._show_again()
            return False
        if now - self._up_since < self._shared.lease:  # its holder may be about to take it again
            return False
        self._alone_since = min(self._alone_since, now)
        return True

    def _watch_sweep(self, holder: str, now: float) -> None:
        """Tell that the sweep has ended whose instance is gone: nobody goes on with it unasked."""
        if not self.follows_sweep or holder:
            self._sweep_alone_since = math.inf
            return
        self._sweep_alone_since = min(self._sweep_alone_since, now)
        # What it told last may still be on its way.
        if now - max(self._sweep_alone_since, self._up_since) >= self._shared.lease:
            self._sweep.lose()

    def cannot_take_over(self) -> bool:
        """Show that the run has no instance; return whether it counts as failed from now on."""
        if trio.current_time() - self._alone_since < (HUNG if self._is_held else GIVEN_UP):
            self._show_instead(_ALONE)
            return False
        self._told_phase = None
        self._source = ""  # should it come back after all, its whole state is shown
        if self._status.run_id is not None:
            self._history.end(self._status.run_id, _LOST)
        self._status.change(Phase("failed"), _LOST)
        return True

    async def plan_takeover(self, store: RunStore) -> RunPlan | RunRecord | None:
        """Return the plan to go on with the run, or its record if it has ended; None if neither can be."""
        run_id, parameters = self._status.run_id, self._status.parameters
        if run_id is None or parameters is None:
            return None
        phase = self._status.phase if self._told_phase is None else self._told_phase[0]
        plan = partial(
            plan_takeover,
            store,
            run_id,
            parameters,
            has_learnt=self._status.last_episode > 0,
            is_stopping=phase.state == "stopping",
        )
        self._is_held = False
        try:
            return await trio.to_thread.run_sync(plan)
        except StillHeldError:
            self._is_held = True
            return None

    async def conclude(self, record: RunRecord) -> None:
        """Tell everyone how a run ended whose instance was gone before it could."""
        self.begin()
        self._status.conclude(record, f"models/{DEFAULT_MODEL}")
        await self.end()

    async def take_lease(self, command: str) -> None:
        """Take the lease, without which no run or sweep begins; raises `BadMessageError`."""
        is_taken = await self._shared.take()
        if is_taken is None:
            sentence = "Redis does not answer, so it is not known whether another instance trains."
            raise BadMessageError(ErrorCode.STORE_UNAVAILABLE, sentence, command=command)
        if not is_taken:
            sentence = "Another instance has just started a run or a sweep; watch it."
            raise BadMessageError(ErrorCode.ALREADY_TRAINING, sentence, command=command)

    async def give_lease(self) -> None:
        """Give a lease back with which nothing was begun."""
        await self._shared.give()

    async def end(self) -> None:
        """Give the lease back once everything has been told; then follow the others again."""
        self._shared.end()
        late, self._late = self._late, []
        for received in late:
            await self.on_input(received, is_free=True)

    def _show_instead(self, reason: str) -> None:
        if self._told_phase is None:
            self._told_phase = self._status.phase, self._status.reason
        if self._status.reason != reason:
            self._status.change(self._status.phase._replace(state="unresponsive"), reason)

    def _show_again(self) -> None:
        """Show what was told last, after something else was shown in its place."""
        if self._told_phase is not None:
            (phase, reason), self._told_phase = self._told_phase, None
            self._status.change(phase, reason)

    def begin(self) -> None:
        """Begin to tell; the phase that is on is the one that was told last."""
        self._told_phase = None
        self._alone_since = math.inf
        self._shared.begin(lambda: self._status.snapshot(self._sweep.status()))

    # --- orders ----------------------------------------------------------------------------------------

    async def pass_on(self, viewer: Viewer, command: TrainingCommand | BadMessageError) -> bool:
        """Forward a command that is for the instance that trains; return whether it is one."""
        match command:
            case Stop():
                await self.forward(viewer, command)
            case Pause() | Resume() | SetShow() if self.follows:
                await self.forward(viewer, command)
            case _:
                return False
        return True

    async def forward(self, viewer: Viewer, command: Pause | Resume | Stop | SetShow) -> None:
        """Have the instance that trains carry out a viewer's command; at most a few seconds."""
        texts = await self._shared.order(viewer.session_id, msgspec.json.encode(command).decode())
        if texts is None:
            name = str(command.__struct_config__.tag)
            sentence = "The instance that trains does not respond; wait for the next status."
            self._status.count_error(ErrorCode.TRAINING_BUSY)
            viewer.tell(BadMessageError(ErrorCode.TRAINING_BUSY, sentence, command=name).as_message())
            return
        for text in texts:
            viewer.put_event(text)
