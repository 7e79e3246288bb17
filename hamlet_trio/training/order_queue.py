"""The orders that wait to be written to the trainer's pipe."""

from collections import deque
from typing import Final

import trio

from hamlet_trio.training.orders import Order, WatchOrder

MAX_ORDERS: Final = 64


class OrderQueueFullError(Exception):
    """The trainer has not read its orders for long; it is stuck or stopped by a debugger."""


class OrderQueue:
    """A bounded queue from the supervisor, which never waits, to the task that writes to the pipe.

    Orders keep their order. Whether somebody watches is a value, not a sequence: of several changes only the
    last one is told, before any other order, so that it takes no room. One task takes from it.
    """

    def __init__(self, *, watched: bool) -> None:
        self._orders: deque[Order] = deque()
        self._told = self._watched = watched
        self._filled = trio.Event()

    def put(self, order: Order) -> None:
        """Queue an order; raises `OrderQueueFullError` if `MAX_ORDERS` wait already."""
        if len(self._orders) >= MAX_ORDERS:
            raise OrderQueueFullError(f"{MAX_ORDERS} orders wait for the trainer")
        self._orders.append(order)
        self._filled.set()

    def set_watched(self, watched: bool) -> None:
        """Whether anybody watches the run from now on."""
        self._watched = watched
        self._filled.set()

    async def get(self) -> Order:
        """The next order; waits for one."""
        while not self._orders and self._told == self._watched:
            self._filled = trio.Event()
            await self._filled.wait()
        await trio.lowlevel.checkpoint_if_cancelled()
        if self._told != self._watched:
            self._told = self._watched
            return WatchOrder(self._watched)
        return self._orders.popleft()
