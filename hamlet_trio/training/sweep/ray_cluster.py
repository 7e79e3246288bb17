"""Trials on a standing Ray cluster, by way of the driver process."""

import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import msgspec
import trio

from hamlet_trio.connection import MessageQueue
from hamlet_trio.logs import Logger
from hamlet_trio.protocol.sweeps import MAX_JOBS
from hamlet_trio.training.link import LinkError, Message, MessageKind
from hamlet_trio.training.orders import BeginOrder, Order
from hamlet_trio.training.sweep.driver_messages import (
    ConnectedReport,
    DriverReport,
    RefusedReport,
    TrialOverReport,
    TrialReport,
    decode_driver_report,
)
from hamlet_trio.training.sweep.trial_executor import OnMessages
from hamlet_trio.training.trainer_process import run_trainer

DRIVER: Final = (sys.executable, "-P", "-m", "hamlet_trio.training.sweep.ray_driver")
_GRACE: Final = 8.0  # seconds for the driver to cancel its trials and end


class RayClusterError(Exception):
    """The cluster cannot be used, or was lost; the message is a sentence."""


class RayExecutor:
    """Have a cluster train trials; made by `run_on_ray`. Ray decides when and on which node each is trained.

    A trial whose worker or node dies is begun again by Ray, and the episodes that it repeats are told once.
    One that is cancelled is begun again the next time, as nothing of it was saved.
    """

    def __init__(self) -> None:
        self.nodes = 0
        self.cores = 0
        self.orders: Final = MessageQueue[Order](max_kept=MAX_JOBS, max_droppable=1)
        self.is_settled: Final = trio.Event()
        self.refusal: str | None = None
        self._trials: dict[str, tuple[OnMessages, trio.Event]] = {}

    async def train(self, begin: BeginOrder, on_messages: OnMessages, *, log: Logger) -> str:
        """Have Ray train one trial to its end."""
        is_over = trio.Event()
        self._trials[begin.run_id] = on_messages, is_over
        try:
            self.orders.put(begin)
            await is_over.wait()
        finally:
            del self._trials[begin.run_id]
        return "Ray told no end of the trial."

    def acknowledge(self, run_id: str, episode: int) -> None:
        """Nothing is kept on the nodes that could be let go."""

    async def on_messages(self, messages: Sequence[Message]) -> None:
        """Deal with what the driver tells; each trial's own in order."""
        try:
            reports = [decode_driver_report(message.payload) for message in messages]
        except msgspec.DecodeError as error:
            raise LinkError(f"the driver sent what is no message: {error}") from error
        told: dict[str, list[Message]] = {}
        for report in reports:
            if isinstance(report, TrialReport):
                told.setdefault(report.run_id, []).append(Message(MessageKind(report.kind), report.payload))
        async with trio.open_nursery() as nursery:
            for run_id, own in told.items():
                if run_id in self._trials:
                    nursery.start_soon(self._trials[run_id][0], own)
        for report in reports:
            self._note(report)

    def _note(self, report: DriverReport) -> None:
        match report:
            case ConnectedReport(nodes=nodes, cores=cores):
                self.nodes, self.cores = nodes, cores
                self.is_settled.set()
            case RefusedReport(reason=reason):
                self.refusal = reason
            case TrialOverReport(run_id=run_id) if run_id in self._trials:
                self._trials[run_id][1].set()


async def run_on_ray(
    address: str,
    work: Callable[[RayExecutor], Awaitable[None]],
    *,
    log: Logger,
    command: Sequence[str] = DRIVER,
) -> None:
    """Connect to the Ray cluster at an address, and do the `work` with it.

    Resource handling: the driver process ends with this, and with it all trials that it began; so they do
    when this process is killed.

    Cancellation: the work is cancelled, then the trials.

    Error handling: raises `RayClusterError` if the cluster cannot be used. If it is lost meanwhile, the work
    is cancelled, and it is raised afterwards.
    """
    executor = RayExecutor()
    async with trio.open_nursery() as nursery:

        async def drive() -> None:
            try:
                end = await run_trainer(
                    executor.orders,
                    executor.on_messages,
                    grace=_GRACE,
                    log=log,
                    command=(*command, address),
                    name="driver of Ray",
                    is_noisy=True,
                )
            except OSError as error:
                executor.refusal = f"The driver of Ray cannot be started: {error.strerror or error}."
            else:
                executor.refusal = executor.refusal or str(end)
            nursery.cancel_scope.cancel()

        nursery.start_soon(drive)
        await executor.is_settled.wait()
        await work(executor)
        executor.refusal = None
        nursery.cancel_scope.cancel()
    if executor.refusal is not None:
        raise RayClusterError(executor.refusal)
