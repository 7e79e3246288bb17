"""The trainer process: one run, ordered about over a pipe (`python -m hamlet_trio.training.trainer`).

Its server starts it and is the only one that ends it. An interrupt or termination signal, which a terminal or
a service manager sends to the whole group, is ignored: the server then asks over the pipe, or is gone, which
closes the pipe. Either way the run is saved before the process ends.
"""

import os
import signal
import sys
import time
import traceback
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hamlet_trio.agent.models import ModelFolder
from hamlet_trio.common.lock import LockedError
from hamlet_trio.protocol.errors import ErrorCode
from hamlet_trio.protocol.messages import Error, TrainingEpisodeStart
from hamlet_trio.training.orders import (
    BeginOrder,
    EndedReport,
    FailedReport,
    Order,
    PausedReport,
    PauseOrder,
    ResumedReport,
    ResumeOrder,
    StartedReport,
    StopOrder,
    WatchOrder,
)
from hamlet_trio.training.pipes import MessageWriter, OrderReader, complain, take_over_pipes
from hamlet_trio.training.store import RunStore

if TYPE_CHECKING:
    # These import torch, which takes seconds: `train` imports them once the pipes are served.
    from hamlet_trio.training.session import Ending, TrainingSession

_NICENESS: Final = 5  # the server's sessions come first where cores are few


class Trainer:
    """The loop around a run: takes orders between two environment steps, shows frames, saves."""

    def __init__(
        self, session: "TrainingSession", begin: BeginOrder, inbox: OrderReader, outlet: MessageWriter
    ) -> None:
        from hamlet_trio.recording.folder import RecordingFolder, recordings_path  # noqa: PLC0415
        from hamlet_trio.training.frames import FrameRenderer  # noqa: PLC0415
        from hamlet_trio.training.recorder import Recorder  # noqa: PLC0415

        self._session = session
        self._run = session.run
        self._inbox = inbox
        self._outlet = outlet
        self._renderer = FrameRenderer(session.run)
        self._recorder = Recorder(
            RecordingFolder(recordings_path(begin.data_dir), kept=begin.recordings_kept),
            begin.run_id,
            every=begin.record_every,
            past=session.history.message().episodes,
        )
        self._paused = begin.paused
        self._watched = begin.watched
        self._ending: Ending | None = None
        self._next_step_at = 0.0

    def live(self) -> EndedReport:
        """Train until the run is complete or is to end; saves before it returns.

        Raises `DivergedError` when the run cannot go on.
        """
        if self._paused:
            self._report_paused()
        if self._run.episode_step > 0:
            self._announce_episode()
        while True:
            self._take_orders()
            if self._ending is not None:
                return self._end(self._ending)
            if self._run.finished:
                return self._end("complete")
            self._step()

    # --- steps -----------------------------------------------------------------------------------------

    def _announce_episode(self) -> None:
        if self._run.is_shown:
            self._next_step_at = time.monotonic()
            self._outlet.announce(TrainingEpisodeStart(self._run.shown_episode, self._run.epsilon))

    def _step(self) -> None:
        if self._run.episode_step == 0:
            self._announce_episode()
        shown = self._run.is_shown
        outcome, completed = self._session.step()
        if shown and self._watched:
            self._outlet.show(self._renderer.render(outcome))
        if problem := self._recorder.note(outcome, self._run):
            self._announce_save_failed(problem)
        for complete in completed:
            self._outlet.announce(complete)
        if self._session.save_due:
            self._autosave()
        if shown:
            self._wait()

    def _wait(self) -> None:
        """Wait between the steps of a shown episode, on deadlines that do not drift, taking orders meanwhile.

        A run that is paused meanwhile goes on at once when it is resumed.
        """
        delay = self._run.parameters.step_delay
        if delay == 0:
            return
        # A step that took longer than the delay is no reason for a burst of steps afterwards.
        self._next_step_at = max(self._next_step_at + delay, time.monotonic())
        while not self._paused and self._ending is None:
            try:
                self._obey(self._inbox.get(self._next_step_at))
            except TimeoutError:
                return

    # --- orders ----------------------------------------------------------------------------------------

    def _take_orders(self) -> None:
        """Carry out what waits; while paused, wait for more."""
        while self._ending is None and (self._paused or self._inbox.has_order()):
            self._obey(self._inbox.get())

    def _obey(self, order: Order | None) -> None:
        match order:
            case None:
                self._ending = "interrupted"
            case StopOrder():
                self._ending = "stopped"
            case WatchOrder(watched):
                self._watched = watched
            case PauseOrder():
                self._paused = True
                self._report_paused()
            case ResumeOrder():
                self._paused = False
                self._next_step_at = time.monotonic()
                self._outlet.report(ResumedReport(*self._position()))
            case BeginOrder():
                raise RuntimeError("a trainer begins one run only")

    def _report_paused(self) -> None:
        self._outlet.report(PausedReport(*self._position()))

    def _position(self) -> tuple[int, int]:
        return min(self._run.episode, self._run.parameters.num_episodes), self._run.episode_step

    # --- saving ----------------------------------------------------------------------------------------

    def _autosave(self) -> None:
        from hamlet_trio.training.session import SaveError  # noqa: PLC0415

        try:
            self._outlet.announce(self._session.save())
        except SaveError as error:
            self._announce_save_failed(str(error))

    def _announce_save_failed(self, problem: str) -> None:
        sentence = f"{problem} Training goes on; free some space before the next save."
        self._outlet.announce(Error(sentence, code=ErrorCode.SAVE_FAILED.value))

    def _end(self, how: "Ending") -> EndedReport:
        problem = self._session.end(how)
        reward, length = self._run.recent_means()
        return EndedReport(
            how=how,
            model_saved=self._session.model_saved,
            average_reward=reward,
            average_length=length,
            problem=problem,
        )


def train(begin: BeginOrder, inbox: OrderReader, outlet: MessageWriter) -> None:
    """Make the run that the order begins, and report how it ended."""
    store = RunStore(Path(begin.data_dir))
    with ExitStack() as stack:
        try:
            stack.enter_context(store.training(begin.run_id))
        except LockedError as error:
            outlet.report(FailedReport(reason=f"The run is trained elsewhere: {error}.", retry=True))
        except OSError as error:
            reason = f"The run's folder cannot be used: {error.strerror}."
            outlet.report(FailedReport(reason=reason, retry=False))
        else:
            _train(begin, store, inbox, outlet)


def _train(begin: BeginOrder, store: RunStore, inbox: OrderReader, outlet: MessageWriter) -> None:
    import torch  # noqa: PLC0415

    from hamlet_trio.agent.update import DivergedError  # noqa: PLC0415
    from hamlet_trio.training.scalars import FOLDER, EpisodeScalars, TensorBoardMissingError  # noqa: PLC0415
    from hamlet_trio.training.session import SaveError, StartError, open_session  # noqa: PLC0415

    torch.set_num_threads(1)
    try:
        scalars = None
        if begin.tensorboard:
            scalars = EpisodeScalars(Path(begin.data_dir) / FOLDER / begin.run_id, complain)
        session = open_session(
            begin.run_id,
            begin.parameters,
            store=store,
            models=ModelFolder(begin.models_dir),
            resume=begin.resume,
            device=begin.device,
            scalars=scalars,
        )
    except (StartError, TensorBoardMissingError) as error:
        outlet.report(FailedReport(reason=str(error), retry=False))
        return
    run = session.run
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    outlet.report(StartedReport(parameters=run.parameters, device=run.device, episode=run.completed))
    if begin.resume:
        outlet.announce(session.history.message())
    try:
        outlet.report(Trainer(session, begin, inbox, outlet).live())
    except DivergedError as error:
        reason = str(error)
        try:
            session.fail(reason)
        except SaveError as save_error:
            reason = f"{reason} {save_error}"
        outlet.report(FailedReport(reason=reason, retry=False))


def main() -> int:
    """Serve one supervisor; the exit code is 1 if the trainer itself failed."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    orders, messages = take_over_pipes()
    inbox, outlet = OrderReader(orders), MessageWriter(messages)
    try:
        begin = inbox.get()
        if isinstance(begin, BeginOrder):
            train(begin, inbox, outlet)
    except Exception as error:
        traceback.print_exc()
        outlet.report(FailedReport(reason=f"The trainer failed: {error!r}.", retry=True))
        return 1
    finally:
        outlet.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
