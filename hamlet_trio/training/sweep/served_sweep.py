"""The sweep of a server: one at a time, commanded by viewers and told to all of them.

Of several instances that share Redis one runs it, as with a run; the others show it.
"""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec
import trio

from hamlet_trio.agent.models import ModelFolder
from hamlet_trio.common.decoding import one_kind_of_error
from hamlet_trio.common.lock import FileLock
from hamlet_trio.history import HistoryWriter
from hamlet_trio.logs import Logger
from hamlet_trio.protocol.commands import StartSweep, StartTraining, Status, Stop, TrainingCommand
from hamlet_trio.protocol.errors import BadMessageError, ErrorCode
from hamlet_trio.protocol.messages import Error, TrainingMessage, TrainingStatus
from hamlet_trio.protocol.sweeps import MAX_SERVED_TRIALS, SweepProgress, SweepStatus, SweepTrial
from hamlet_trio.settings import Settings
from hamlet_trio.training.hub import Hub
from hamlet_trio.training.inputs import Inputs, OnInput
from hamlet_trio.training.store import RunStore
from hamlet_trio.training.sweep.ray_cluster import RayClusterError, run_on_ray
from hamlet_trio.training.sweep.sweep_run import SweepRun, SweepStartError, cores, open_sweep
from hamlet_trio.training.sweep.trials import plan_trials

PROGRESS_EVERY: Final = 0.5  # seconds

_BEGINNING: Final = '{"type":"sweep_'
_told: Final[msgspec.json.Decoder[SweepStatus | SweepProgress]] = msgspec.json.Decoder(
    SweepStatus | SweepProgress
)


class ServedSweep:
    """The sweep that is on, or was last; the task of the training service opens and runs it.

    Viewers are told of each trial that changed, at most every `PROGRESS_EVERY` seconds: of what happened
    meanwhile the newest replaces the rest, so that memory is one state for each of the trials.
    """

    def __init__(
        self,
        settings: Settings,
        models: ModelFolder,
        *,
        history: HistoryWriter,
        hub: Hub,
        log: Logger,
        command: Sequence[str],
    ) -> None:
        self._settings = settings
        self._models = models
        self._history = history
        self._hub = hub
        self._log = log
        self._command = command
        self._sweep: SweepRun | None = None
        self._is_on = False
        self._lock: FileLock
        self._followed: SweepStatus | None = None  # of another instance
        self._trials = trio.CancelScope()
        self._changed: dict[int, SweepTrial] = {}
        self._has_changed = trio.Event()

    @property
    def is_on(self) -> bool:
        """Whether a sweep is on here: until its last trial has ended, or is saved."""
        return self._is_on

    @property
    def is_elsewhere(self) -> bool:
        """Whether a sweep is on at another instance."""
        return self._followed is not None and self._followed.state == "running"

    @property
    def is_shown(self) -> bool:
        """Whether a sweep is on, here or at another instance."""
        return self._is_on or self.is_elsewhere

    def status(self) -> SweepStatus | None:
        """Return the state of the sweep that is on, or was last; None before the first."""
        if self._followed is not None:
            return self._followed
        return None if self._sweep is None else self._sweep.status()

    def statuses(self) -> list[SweepStatus]:
        """Return that state as messages."""
        status = self.status()
        return [] if status is None else [status]

    async def open(
        self,
        command: StartSweep,
        problem: str | None,
        lock: FileLock,
        take: Callable[[str], Awaitable[None]],
        give: Callable[[], Awaitable[None]],
    ) -> None:
        """Plan the sweep, and `take` the lock that `run` releases; `give` it back if the sweep cannot begin.

        One core is left to the server, unless `jobs` says otherwise, or a Ray cluster trains.

        Raises `BadMessageError` if the sweep cannot begin, as for a `problem` of the data folder.
        """
        name = str(command.__struct_config__.tag)
        if problem is not None:
            raise BadMessageError(ErrorCode.TRAINING_UNAVAILABLE, problem, command=name)
        store = RunStore(Path(self._settings.data_dir))
        planned = await trio.to_thread.run_sync(
            lambda: plan_trials(command.parameters(), store, self._models, most=MAX_SERVED_TRIALS)
        )
        jobs = command.jobs or MAX_SERVED_TRIALS  # Ray begins as many as it has cores for
        if not self._settings.ray_address:
            jobs = max(1, cores() - 1) if command.jobs is None else min(command.jobs, cores())
        await take(name)
        try:
            self._sweep = await trio.to_thread.run_sync(
                lambda: open_sweep(
                    planned,
                    self._settings,
                    jobs=jobs,
                    history=self._history,
                    on_change=self._note,
                    log=self._log,
                    command=self._command,
                )
            )
        except SweepStartError as error:
            await give()
            raise BadMessageError(ErrorCode.TRAINING_LOCKED, str(error), command=name) from None
        except BaseException:
            with trio.CancelScope(shield=True):
                await give()
            raise
        self._lock, self._followed = lock, None
        self._is_on = True
        self._trials = trio.CancelScope()

    async def run(self, inputs: Inputs, on_input: OnInput) -> None:
        """Run the sweep that was opened to its end, tell everyone, and handle inputs meanwhile.

        Cancelled, its trials get `shutdown_grace` seconds to save. An unexpected error is logged, and ends
        this sweep alone.
        """
        assert self._sweep is not None, "it was opened"
        self._changed.clear()
        self._hub.broadcast(self._sweep.status())
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._run, self._sweep, nursery.cancel_scope)
                nursery.start_soon(self._tell_changes, self._sweep)
                while True:
                    received = await inputs.receiver.receive()
                    with trio.CancelScope(shield=True):  # what was begun is completed
                        await on_input(received)
        finally:
            self._is_on = False
            self._lock.release()
            self._hub.broadcast(self._sweep.status())

    async def _run(self, sweep: SweepRun, scope: trio.CancelScope) -> None:
        address = self._settings.ray_address
        try:
            with self._trials:
                if address:
                    await run_on_ray(address, sweep.run, log=self._log)
                else:
                    await sweep.run()
        except RayClusterError as error:
            self._log.error("sweep_failed", sweep_id=sweep.sweep_id, reason=str(error))
            self._hub.broadcast(Error(str(error), code=ErrorCode.TRAINING_UNAVAILABLE.value))
        except Exception:
            self._log.exception("sweep_failed", sweep_id=sweep.sweep_id)
        finally:
            await sweep.close()
        scope.cancel()

    def obey(self, command: TrainingCommand, status: TrainingStatus) -> list[TrainingMessage]:
        """Carry out a command while the sweep is on; return what its sender is told.

        Raises `BadMessageError` for one that only a run obeys, and for a start.
        """
        name = str(command.__struct_config__.tag)
        match command:
            case Status():
                return [status, *self.statuses()]
            case Stop():
                self.stop()
                return []
            case StartTraining() | StartSweep():
                sentence = "A sweep is running already; stop it first, or watch it."
                raise BadMessageError(ErrorCode.ALREADY_TRAINING, sentence, command=name)
            case _:
                sentence = f"There is no run to {name}; a sweep is on, which can only be stopped."
                raise BadMessageError(ErrorCode.NOT_TRAINING, sentence, command=name)

    def stop(self) -> None:
        """End the sweep that is on here, if one is; its trials are saved."""
        self._trials.cancel()

    # --- of a sweep at another instance ----------------------------------------------------------------

    def follow(self, text: str) -> bool:
        """Take note of what another instance told; return whether that is about a sweep.

        Raises `msgspec.DecodeError` for what this version does not know.
        """
        if not text.startswith(_BEGINNING):
            return False
        with one_kind_of_error():
            message = _told.decode(text)
        if isinstance(message, SweepStatus):
            self._followed = message
        elif self._followed is not None and self._followed.sweep_id == message.sweep_id:
            changed = {trial.trial: trial for trial in message.trials}
            self._followed = msgspec.structs.replace(
                self._followed,
                trials=[changed.get(trial.trial, trial) for trial in self._followed.trials],
                result=message.result,
            )
        return True

    def restore(self, status: SweepStatus) -> None:
        """Take over the state that another instance told, and tell everyone."""
        self._followed = status
        self._hub.broadcast(status)

    def lose(self) -> None:
        """Tell everyone that the instance is gone which ran the sweep; `start_sweep` goes on with it."""
        if self._followed is None:
            return
        trials = [
            msgspec.structs.replace(trial, state="waiting") if trial.state == "running" else trial
            for trial in self._followed.trials
        ]
        self.restore(msgspec.structs.replace(self._followed, state="interrupted", trials=trials))

    def _note(self, trial: SweepTrial) -> None:
        self._changed[trial.trial] = trial
        self._has_changed.set()

    async def _tell_changes(self, sweep: SweepRun) -> None:
        while True:
            await self._has_changed.wait()
            self._has_changed = trio.Event()
            changed, self._changed = list(self._changed.values()), {}
            progress = SweepProgress(sweep_id=sweep.sweep_id, trials=changed, result=sweep.result())
            if any(trial.state in ("complete", "failed") for trial in changed):
                self._hub.broadcast(progress)  # nothing later would tell it again
            else:
                self._hub.broadcast_progress(progress)
            await trio.sleep(PROGRESS_EVERY)
