"""Notice that a trainer tells nothing for too long."""

from typing import Final

import trio

from hamlet_trio.training.inputs import Inputs, TrainerSilent

_START_PATIENCE: Final = 120.0  # seconds of silence while a trainer starts; it imports torch
_SILENCE: Final = 30.0  # seconds without a message; heartbeats wait for a step, an evaluation or a save


class SilenceWatch:
    """Report each time that nothing has come from one trainer for too long."""

    def __init__(self, inputs: Inputs) -> None:
        self.has_started = False
        self._inputs: Final = inputs
        self._message_came = trio.Event()

    @property
    def is_broken(self) -> bool:
        """Whether a message has come since the last report."""
        return self._message_came.is_set()

    def heard(self) -> None:
        """Take note of a message."""
        self._message_came.set()

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            patience = _SILENCE if self.has_started else _START_PATIENCE
            self._message_came = trio.Event()
            with trio.move_on_after(patience) as waiting:
                await self._message_came.wait()
            if waiting.cancelled_caught:
                await self._inputs.sender.send(TrainerSilent(patience))
                await self._message_came.wait()
