"""A sweep without a server, for the command line and for programs: on this machine, or on a Ray cluster."""

import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import trio

from hamlet_trio.agent.models import ModelFolder
from hamlet_trio.history import HistoryWriter
from hamlet_trio.logs import get_logger
from hamlet_trio.protocol.errors import BadMessageError
from hamlet_trio.protocol.sweeps import MAX_JOBS, SweepParameters, SweepStatus, SweepTrial
from hamlet_trio.settings import Settings
from hamlet_trio.training.store import RunStore
from hamlet_trio.training.sweep.ray_cluster import RayClusterError, RayExecutor, run_on_ray
from hamlet_trio.training.sweep.sweep_run import SweepStartError, cores, open_sweep
from hamlet_trio.training.sweep.trials import plan_trials
from hamlet_trio.training.trainer_process import COMMAND

_ENDING: Final = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class SweepListener:
    """Hear of a sweep; the methods do nothing unless a subclass overrides them."""

    def on_cluster(self, address: str, nodes: int, cores: int) -> None:
        """The sweep is to be trained on the Ray cluster at this address, of so many nodes and cores."""

    def on_sweep(self, status: SweepStatus, *, resumed: bool) -> None:
        """The sweep begins, or goes on with the trials that are missing."""

    def on_trial(self, trial: SweepTrial) -> None:
        """A trial has a newer state: it began, finished an episode, or ended."""

    def on_interruption(self) -> None:
        """The sweep was asked to end; the trials under way are being saved."""

    def on_sweep_end(self, status: SweepStatus) -> None:
        """The sweep ended."""


def train_sweep(
    parameters: SweepParameters,
    settings: Settings,
    *,
    listener: SweepListener | None = None,
    command: Sequence[str] = COMMAND,
) -> SweepStatus:
    """Train all trials of a sweep, each in a process of its own, and return how they ended.

    With `settings.ray_address` they are trained on that Ray cluster, as many at once as it has cores for.

    Every trial is a run in the history of the data folder. Where a sweep of exactly these trials was
    interrupted, only those that are missing are trained. Ctrl-C, SIGTERM and a closed terminal save the
    trials under way and end the sweep; its state is "interrupted" then. On a cluster trials under way are not
    saved, but begin again. Call it in the main thread.

    Raises `SweepStartError` for parameters that are not allowed, and when the sweep cannot begin, and
    `RayClusterError` when the cluster cannot be used, or was lost meanwhile.
    """
    return trio.run(_train, parameters, settings, listener or SweepListener(), command)


async def _train(
    parameters: SweepParameters, settings: Settings, listener: SweepListener, command: Sequence[str]
) -> SweepStatus:
    try:
        models = ModelFolder.of(models_dir=settings.models_dir, data_dir=settings.data_dir)
        planned = plan_trials(parameters, RunStore(Path(settings.data_dir)), models)
    except BadMessageError as error:
        raise SweepStartError(error.message) from error
    log = get_logger(service="sweep")
    history = HistoryWriter(settings)
    ended: list[SweepStatus] = []

    async def run(executor: RayExecutor | None = None) -> None:
        jobs = cores()
        if executor is not None:
            listener.on_cluster(settings.ray_address, executor.nodes, executor.cores)
            jobs = MAX_JOBS  # it begins as many as it has cores for
        sweep = open_sweep(
            planned,
            settings,
            jobs=parameters.jobs or jobs,
            history=history,
            on_change=listener.on_trial,
            log=log,
            command=command,
        )
        listener.on_sweep(sweep.status(), resumed=sweep.resumed)
        try:
            await sweep.run(executor)
        finally:
            ended.append(sweep.status())

    problem: SweepStartError | RayClusterError | None = None
    async with trio.open_nursery() as lasting:
        await lasting.start(history.run)
        async with trio.open_nursery() as nursery:
            with trio.CancelScope() as trials:
                nursery.start_soon(_end_on_signal, trials, listener)
                try:
                    if settings.ray_address:
                        await run_on_ray(settings.ray_address, run, log=log)
                    else:
                        await run()
                except* (SweepStartError, RayClusterError) as group:
                    problem = _first(group)
            nursery.cancel_scope.cancel()
        lasting.cancel_scope.cancel()
    if ended:
        listener.on_sweep_end(ended[0])
    if problem is not None:
        raise problem
    if not ended:
        raise SweepStartError("The sweep was interrupted before it began.")
    return ended[0]


def _first(
    group: BaseExceptionGroup[SweepStartError | RayClusterError],
) -> SweepStartError | RayClusterError:
    """Return the first error of a group, however deep it lies."""
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


async def _end_on_signal(trials: trio.CancelScope, listener: SweepListener) -> None:
    """Cancel the trials at the first signal; a second one changes nothing, as they are being saved."""
    # Where SIGHUP is ignored, as under nohup, it stays so.
    numbers = [number for number in _ENDING if signal.getsignal(number) is not signal.SIG_IGN]
    with trio.open_signal_receiver(*numbers) as received:
        async for _ in received:
            if not trials.cancel_called:
                listener.on_interruption()
                trials.cancel()
