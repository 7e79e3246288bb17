"""The lifetime of one trainer process under Trio."""

import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final

import trio
from msgspec import Struct
from trio.abc import ReceiveStream, SendStream

from hamlet_trio.connection import MessageQueue
from hamlet_trio.logs import Logger
from hamlet_trio.training.link import LinkError, Message, MessageKind, MessageStream, pack
from hamlet_trio.training.orders import Order, encode_control

# -P: a file beside the user, such as a student's random.py, is not imported in place of a library.
COMMAND: Final = (sys.executable, "-P", "-m", "hamlet_trio.training.trainer")
_EXIT_PATIENCE: Final = 20.0  # seconds from the end of its messages to the end of the process
_LONGEST_LINE: Final = 2000  # characters of one line of the trainer's standard error that are logged


class Exit(Struct, frozen=True):
    """The end of a process called `name`; `last_line` is the last one it wrote to standard error."""

    return_code: int
    last_line: str
    name: str = "trainer process"

    def __str__(self) -> str:
        if self.return_code < 0:
            number = -self.return_code
            name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
            hint = " (out of memory?)" if name == "SIGKILL" else ""
            return f"The {self.name} was ended by {name}{hint}."
        line = f": {self.last_line}" if self.last_line else ""
        return f"The {self.name} ended with exit code {self.return_code}{line}."


async def run_trainer(
    orders: MessageQueue[Order],
    on_messages: Callable[[Sequence[Message]], Awaitable[None]],
    *,
    grace: float,
    log: Logger,
    command: Sequence[str] = COMMAND,
    inherited: tuple[int, ...] = (),
    name: str = "trainer process",
    is_noisy: bool = False,
) -> Exit:
    """Run a trainer until its process is gone, and call `on_messages` with its messages in order.

    Meanwhile further messages wait in the pipe and then in the trainer, whose learner goes on.

    Resource handling: however this ends, the process was reaped and its pipes are closed.
    `inherited` are file descriptors that the process shares; none under Windows. What it writes to standard
    error is logged as a warning, but as detail if it `is_noisy`.

    Cancellation: the pipe of orders is closed, which asks the trainer to save and end; its messages are
    still handled meanwhile; after `grace` seconds it is killed.

    Error handling: raises `OSError` if the process cannot be started. A trainer that writes anything but
    messages is killed.
    """
    # One computing thread each: the learner's batches are too small to share, and the server needs the cores.
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    process = await trio.lowlevel.open_process(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        pass_fds=inherited,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    log = log.bind(trainer_pid=process.pid)
    lifetime = trio.CancelScope(shield=True)
    last_line = [""]
    try:
        async with trio.open_nursery() as outer:
            outer.start_soon(_end_on_cancellation, process.stdin, lifetime, grace)
            with lifetime:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(_write_orders, process.stdin, orders)
                    async with trio.open_nursery() as readers:
                        readers.start_soon(_log_lines, process.stderr, log, last_line, is_noisy)
                        sound = await _read_messages(process.stdout, on_messages, log)
                        patience = _EXIT_PATIENCE if sound else 0
                        readers.cancel_scope.deadline = trio.current_time() + patience
                        await process.wait()
                    nursery.cancel_scope.cancel()
            outer.cancel_scope.cancel()
    finally:
        with trio.CancelScope(shield=True):
            if process.returncode is None:
                log.warning("trainer_killed")
                process.kill()
            return_code = await process.wait()
            for pipe in (process.stdin, process.stdout, process.stderr):
                await trio.aclose_forcefully(pipe)
    return Exit(return_code, last_line[0], name)


async def _end_on_cancellation(stdin: SendStream, lifetime: trio.CancelScope, grace: float) -> None:
    try:
        await trio.sleep_forever()
    finally:
        lifetime.deadline = trio.current_time() + grace
        with trio.CancelScope(shield=True):
            await trio.aclose_forcefully(stdin)


async def _write_orders(stdin: SendStream, orders: MessageQueue[Order]) -> None:
    # A trainer that is gone, or a pipe that was closed to end it, takes no more orders: what follows is
    # told by the end of its messages.
    with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        while True:
            order = await orders.get()
            await stdin.send_all(pack(MessageKind.CONTROL, encode_control(order)))


async def _read_messages(
    stdout: ReceiveStream, on_messages: Callable[[Sequence[Message]], Awaitable[None]], log: Logger
) -> bool:
    """Handle messages to the end of the pipe; return False if it carries anything else."""
    stream = MessageStream(stdout)
    try:
        while messages := await stream.receive():
            await on_messages(messages)
    except LinkError as error:
        log.warning("trainer_messages_broke_off", reason=str(error))
        return False
    return True


async def _log_lines(stderr: ReceiveStream, log: Logger, last_line: list[str], is_noisy: bool) -> None:
    waiting = b""
    async for data in stderr:
        *lines, waiting = (waiting + data).split(b"\n")
        waiting = waiting[:_LONGEST_LINE]
        for line in lines:
            if text := line[:_LONGEST_LINE].decode(errors="replace").rstrip():
                last_line[0] = text
                if is_noisy:
                    log.debug("trainer_said", line=text)
                else:
                    log.warning("trainer_said", line=text)
