"""One trial of a sweep, from its parameters to its model, over as many trainer processes as it takes."""

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import trio

from hamlet_trio.agent.models import run_models_path
from hamlet_trio.common.files import write_atomically
from hamlet_trio.history import CheckpointStored, EpisodeEnded, HistoryWriter, Record, RunEnded, RunStarted
from hamlet_trio.history.records import Ending
from hamlet_trio.logs import Logger
from hamlet_trio.protocol.episode import EpisodeComplete
from hamlet_trio.protocol.messages import AGENT_ID, TrainingHistory
from hamlet_trio.protocol.sweeps import SweepEvaluation, SweepTrial
from hamlet_trio.settings import Settings
from hamlet_trio.training.link import LinkError, Message
from hamlet_trio.training.orders import (
    BeginOrder,
    EndedReport,
    FailedReport,
    Report,
    StartedReport,
    TrainerEvent,
    UnrecordedReport,
    decode_message,
)
from hamlet_trio.training.run_models import RunModels
from hamlet_trio.training.store import RunStore
from hamlet_trio.training.sweep.sweep_store import SweepStore
from hamlet_trio.training.sweep.trial_executor import TrialExecutor
from hamlet_trio.training.sweep.trials import PlannedTrial

MAX_RETRIES: Final = 3
_FAREWELL: Final = 1.0  # seconds to keep that the trial was interrupted


class TrialRunner:
    """Run one trial with an executor; `on_change` is called with each newer state of it.

    A trainer of this machine that dies is started again, up to `MAX_RETRIES` times, and goes on from its last
    save: the episodes that it repeats replace themselves in the history, and the weights are as if nothing
    had happened. After that, or where another attempt would fail in the same way, the trial has failed.
    """

    def __init__(
        self,
        planned: PlannedTrial,
        sweep_id: str,
        *,
        settings: Settings,
        history: HistoryWriter,
        on_change: Callable[[SweepTrial], None],
        log: Logger,
        executor: TrialExecutor,
    ) -> None:
        self._trial = planned.trial
        self._parameters = planned.parameters
        self._sweep_id = sweep_id
        self._main = Path(settings.data_dir)
        self._sweeps = SweepStore(self._main)
        self._folder = self._sweeps.trial_folder(sweep_id, planned.trial.run_id)
        self._models_kept = settings.models_kept
        # In a folder of its own, where no trial pushes out what is kept of the runs of others.
        self._settings = msgspec.structs.replace(
            settings, data_dir=str(self._folder), record_every=0, tensorboard=False
        )
        self._history = history
        self._on_change = on_change
        self._log = log.bind(run_id=planned.trial.run_id, trial=planned.trial.trial)
        self._executor = executor
        self._is_open = False
        self._last_report: EndedReport | FailedReport | None = None

    async def run(self) -> SweepTrial:
        """Run the trial to its end and return it, complete or failed.

        Cancelled, its trainer gets `shutdown_grace` seconds to save, and the trial waits to be resumed.
        """
        try:
            self._change(state="waiting", reason=None)
            for retry in range(1 + MAX_RETRIES):
                problem = await self._attempt()
                match self._last_report:
                    case EndedReport(how="complete", problem=None, model_saved=str(model)):
                        return await self._complete(model)
                    case EndedReport(problem=str(reason)) | FailedReport(reason=reason, retry=False):
                        return await self._fail(reason)
                    case FailedReport(reason=reason):
                        problem = reason
                self._log.warning("trial_failed", reason=problem, retry=retry + 1)
            return await self._fail(f"{problem} It was started again {MAX_RETRIES} times already.")
        finally:
            if self._trial.state == "running":
                self._change(state="waiting")
                if self._is_open:
                    with trio.move_on_after(_FAREWELL, shield=True):
                        await self._end("interrupted")

    async def _attempt(self) -> str:
        """Have the trial trained to its end; return how that ended."""
        self._last_report = None
        begin = BeginOrder(
            run_id=self._trial.run_id,
            parameters=self._parameters,
            file=None,
            settings=self._settings.with_portable_paths(),
            resume=True,
            paused=False,
            watched=False,
        )
        return await self._executor.train(begin, self._handle, log=self._log)

    # --- what the trainer says -------------------------------------------------------------------------

    async def _handle(self, messages: Sequence[Message]) -> None:
        """Keep what these messages tell, and tell it then."""
        try:
            contents = [decode_message(message) for message in messages]
        except msgspec.DecodeError as error:
            raise LinkError(f"the trainer sent what is no message: {error}") from error
        records = [record for content in contents for record in self._records(content)]
        if records:
            await self._history.write(*records)
            if self._history.problem is None:
                self._acknowledge(records)
        for content in contents:
            self._note(content)

    def _records(self, content: TrainerEvent | Report | None) -> list[Record]:
        match content:
            case StartedReport(parameters=parameters, device=device) if not self._is_open:
                self._is_open = True
                return [
                    RunStarted(
                        run_id=self._trial.run_id,
                        parameters=parameters,
                        device=device,
                        source="sweep",
                        sweep_id=self._sweep_id,
                        sweep_settings=self._own_settings(),
                    )
                ]
            case EpisodeComplete():
                return [EpisodeEnded(run_id=self._trial.run_id, complete=content, agent_id=AGENT_ID)]
            case UnrecordedReport(episodes):
                return list(episodes)
            case _:
                return []

    def _own_settings(self) -> dict[str, Any]:
        world = {} if self._trial.world is None else {"world": self._trial.world}
        return {**self._trial.settings, **world}

    def _acknowledge(self, records: Sequence[Record]) -> None:
        episodes = [record.complete.episode for record in records if isinstance(record, EpisodeEnded)]
        if episodes:
            self._executor.acknowledge(self._trial.run_id, episodes[-1])

    def _note(self, content: TrainerEvent | Report | None) -> None:
        match content:
            case StartedReport(episode=episode):
                kept = [each for each in self._trial.evaluations if each.episode <= episode]
                self._change(state="running", episode=episode, evaluations=kept)
            case TrainingHistory(episodes=episodes):
                # The process that began the trial may have been killed before it could keep these.
                self._change(evaluations=[each for one in episodes for each in _evaluation(one)])
            case EpisodeComplete():
                evaluations = [*self._trial.evaluations, *_evaluation(content)]
                self._change(episode=content.episode, evaluations=evaluations)
            case EndedReport() | FailedReport():
                self._last_report = content

    def _change(self, **changes: object) -> None:
        self._trial = msgspec.structs.replace(self._trial, **changes)
        self._on_change(self._trial)

    # --- the end ---------------------------------------------------------------------------------------

    async def _complete(self, model: str) -> SweepTrial:
        try:
            await trio.to_thread.run_sync(self._keep_model, model)
        except OSError as error:
            return await self._fail(f"The model could not be kept: {error.strerror}.")
        await self._history.write(
            CheckpointStored(run_id=self._trial.run_id, model=model, episode=self._trial.episode)
        )
        await self._end("complete", model=model)
        self._change(state="complete", model=model)
        return self._trial

    async def _fail(self, reason: str) -> SweepTrial:
        self._log.error("trial_given_up", reason=reason)
        await self._end("failed", reason)
        self._change(state="failed", reason=reason)
        return self._trial

    async def _end(self, state: Ending, reason: str | None = None, model: str | None = None) -> None:
        self._is_open = False
        await self._history.write(
            RunEnded(run_id=self._trial.run_id, state=state, reason=reason, model=model)
        )

    def _keep_model(self, model: str) -> None:
        """Move the model to those of other runs; then remove the oldest of these past the quota."""
        models = RunModels(RunStore(self._main), kept=self._models_kept)
        models.path.mkdir(parents=True, exist_ok=True)
        made = run_models_path(self._folder) / model
        if made.exists():  # else it was moved before this process was begun
            shutil.move(made, models.path / model)
        os.utime(models.path / model)
        models.prune()
        self._sweeps.remove_trial(self._sweep_id, self._trial.run_id)


def copy_model(data_dir: Path, model: str, name: str) -> None:
    """Copy a run's model under another name, which is kept until somebody removes it; raises `OSError`."""
    folder = run_models_path(data_dir)
    write_atomically(folder / name, (folder / model).read_bytes())


def _evaluation(complete: EpisodeComplete) -> list[SweepEvaluation]:
    usual, random = complete.evaluation, complete.evaluation_random
    if isinstance(usual, msgspec.UnsetType) or isinstance(random, msgspec.UnsetType):
        return []
    return [SweepEvaluation(complete.episode, round(random.mean_length, 1), usual.mean_length)]
