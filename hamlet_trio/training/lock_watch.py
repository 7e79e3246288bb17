"""Wait for the process that holds the lock of the data folder to let go of it."""

from typing import Final

import trio

from hamlet_trio.training.inputs import Inputs, LockReleased
from hamlet_trio.training.store import RunStore


class LockWatch:
    """Watch the lock of the data folder while another process holds it.

    Attributes:
        is_on: the lock is being watched.
        is_free: set once the lock is free, or was never watched.
    """

    def __init__(self, store: RunStore, inputs: Inputs) -> None:
        self.is_on = False
        self.is_free = trio.Event()
        self._store: Final = store
        self._inputs: Final = inputs

    def start(self, nursery: trio.Nursery) -> None:
        """Begin to watch; `LockReleased` is put into the inputs at the end."""
        self.is_on = True
        self.is_free = trio.Event()
        nursery.start_soon(self._watch)

    def end(self, released: LockReleased) -> None:
        """Take note of that input; where waiting failed, waiting again is of no use."""
        self.is_on = released.problem is not None
        self.is_free.set()

    async def _watch(self) -> None:
        wait, problem = self._store.server_lock().wait, None
        try:
            # A thread that is left behind holds nothing, and ends with the process.
            await trio.to_thread.run_sync(wait, abandon_on_cancel=True, limiter=trio.CapacityLimiter(1))
        except OSError as error:
            problem = error
        await self._inputs.sender.send(LockReleased(problem))
