"""Where the trials of a sweep are trained: as processes of this machine, or on a cluster."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

from hamlet_trio.connection import MessageQueue
from hamlet_trio.logs import Logger
from hamlet_trio.training.link import Message
from hamlet_trio.training.orders import BeginOrder, Order, SyncOrder
from hamlet_trio.training.trainer_process import COMMAND, run_trainer

OnMessages = Callable[[Sequence[Message]], Awaitable[None]]
_MAX_ORDERS: Final = 4


class TrialExecutor(Protocol):
    """Train trials, several at once."""

    async def train(self, begin: BeginOrder, on_messages: OnMessages, *, log: Logger) -> str:
        """Train one trial, call `on_messages` with what its trainer tells, and return how that ended.

        The last message but for this is an `EndedReport` or a `FailedReport`, unless the trainer died.
        `begin.settings.data_dir` is the trial's own folder, in which the model lies when it has ended.
        """
        ...

    def acknowledge(self, run_id: str, episode: int) -> None:
        """Take note that the episodes of a trial up to this one are in the history."""
        ...


class LocalExecutor:
    """Train each trial in a trainer process of this machine; cancelled, it saves within `grace` seconds."""

    def __init__(
        self, *, grace: float, command: Sequence[str] = COMMAND, inherited: tuple[int, ...] = ()
    ) -> None:
        """Make one whose processes share the file descriptors `inherited`."""
        self._grace = grace
        self._command = command
        self._inherited = inherited
        self._orders: dict[str, MessageQueue[Order]] = {}

    async def train(self, begin: BeginOrder, on_messages: OnMessages, *, log: Logger) -> str:
        """Run one trainer to its end; it goes on from the trial's last save, if there is one."""
        orders = MessageQueue[Order](max_kept=_MAX_ORDERS, max_droppable=1)
        orders.put(begin)
        self._orders[begin.run_id] = orders
        try:
            end = await run_trainer(
                orders,
                on_messages,
                grace=self._grace,
                log=log,
                command=self._command,
                inherited=self._inherited,
            )
        except OSError as error:
            return f"The trainer process cannot be started: {error.strerror or error}."
        finally:
            del self._orders[begin.run_id]
        return str(end)

    def acknowledge(self, run_id: str, episode: int) -> None:
        """Tell the trainer, which need not keep these episodes for the next one any more."""
        if (orders := self._orders.get(run_id)) is not None:
            orders.put_droppable(SyncOrder(watched=False, recorded=episode))
