"""The lifetime of a child process: whatever it does, it is reaped and its end told in words.

The children here do what the real trainer never should; the real one is in test_lifecycle.py.
"""

import os
import sys
from collections.abc import Sequence

import psutil
import pytest
import trio

from hamlet_trio.connection import MessageQueue
from hamlet_trio.logs import get_logger
from hamlet_trio.training.link import LinkError, Message, MessageKind, pack
from hamlet_trio.training.orders import Order, PauseOrder, encode_control
from hamlet_trio.training.trainer_process import Exit, run_trainer
from tests.patience import PATIENCE

EVENT = pack(MessageKind.EVENT, b"hello")


def program(text: str) -> Sequence[str]:
    return (sys.executable, "-c", f"import os, signal, sys, time\n{text}")


def no_orders() -> MessageQueue[Order]:
    return MessageQueue(max_kept=64, max_droppable=1)


class Child:
    """Runs one child; notes its messages, and that of its pid which it sends as the first."""

    def __init__(self, text: str, *, grace: float = 30) -> None:
        self.orders = no_orders()
        self.messages: list[Message] = []
        self.spoke = trio.Event()
        self.exit: Exit | None = None
        self._command = program(text)
        self._grace = grace

    async def _on_messages(self, messages: Sequence[Message]) -> None:
        self.messages.extend(messages)
        self.spoke.set()

    async def run(self) -> None:
        self.exit = await run_trainer(
            self.orders, self._on_messages, grace=self._grace, log=get_logger(), command=self._command
        )

    @property
    def pid(self) -> int:
        return int(self.messages[0].payload)


SEND_PID = (
    "pid = str(os.getpid()).encode()\n"
    "os.write(1, len(pid).to_bytes(4, 'big') + bytes([2]) + pid)\n"
)  # fmt: skip


async def test_its_messages_are_handled_and_its_end_is_reported() -> None:
    child = Child(f"os.write(1, {EVENT!r} * 2); sys.exit('out of luck')")
    await child.run()
    assert child.messages == [(MessageKind.EVENT, b"hello")] * 2
    assert str(child.exit) == "The trainer process ended with exit code 1: out of luck."


async def test_orders_reach_it_in_its_own_form() -> None:
    child = Child("data = os.read(0, 100); os.write(1, data)")
    child.orders.put(PauseOrder())
    await child.run()
    assert child.messages == [(MessageKind.CONTROL, encode_control(PauseOrder()))]


@pytest.mark.skipif(os.name == "nt", reason="no signals")
async def test_a_signal_is_reported_by_its_name() -> None:
    child = Child("os.kill(os.getpid(), signal.SIGKILL)")
    await child.run()
    assert str(child.exit) == "The trainer process was ended by SIGKILL (out of memory?)."


async def test_one_that_sends_garbage_is_killed() -> None:
    child = Child("print('Hello!', flush=True); os.close(1); time.sleep(1000)")
    with trio.fail_after(PATIENCE):
        await child.run()
    assert child.messages == []
    assert child.exit is not None
    assert child.exit.return_code != 0


async def test_one_that_stops_speaking_but_stays_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hamlet_trio.training.trainer_process._EXIT_PATIENCE", 0.1)
    child = Child(SEND_PID + "os.close(1); os.close(2); time.sleep(1000)")
    with trio.fail_after(PATIENCE):
        await child.run()
    assert not psutil.pid_exists(child.pid)


async def test_orders_to_a_trainer_that_ended_do_no_harm() -> None:
    child = Child("os.close(0); " + SEND_PID + "time.sleep(0.2)")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(child.run)
        await child.spoke.wait()
        for _ in range(10):
            child.orders.put(PauseOrder())
    assert child.exit is not None
    assert child.exit.return_code == 0


async def test_cancelled_it_is_asked_to_end_and_its_last_messages_are_heard() -> None:
    child = Child(SEND_PID + f"sys.stdin.read(); os.write(1, {EVENT!r})")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(child.run)
        await child.spoke.wait()
        nursery.cancel_scope.cancel()
    assert nursery.cancel_scope.cancelled_caught
    assert child.messages[1:] == [(MessageKind.EVENT, b"hello")]
    assert not psutil.pid_exists(child.pid)


async def test_cancelled_it_is_killed_once_the_grace_is_over() -> None:
    child = Child(SEND_PID + "time.sleep(1000)", grace=0.1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(child.run)
        await child.spoke.wait()
        nursery.cancel_scope.cancel()
    assert not psutil.pid_exists(child.pid)


async def test_an_error_in_handling_a_message_leaves_no_process() -> None:
    pids: list[int] = []

    async def fail(messages: Sequence[Message]) -> None:
        pids.append(int(messages[0].payload))
        raise ZeroDivisionError

    with pytest.RaisesGroup(ZeroDivisionError, flatten_subgroups=True):
        await run_trainer(
            no_orders(), fail, grace=30, log=get_logger(),
            command=program(SEND_PID + "time.sleep(1000)"),
        )  # fmt: skip
    assert not psutil.pid_exists(pids[0])


async def test_a_message_that_is_refused_ends_it() -> None:
    pids: list[int] = []

    async def refuse(messages: Sequence[Message]) -> None:
        pids.append(int(messages[0].payload))
        raise LinkError("not what was agreed")

    end = await run_trainer(
        no_orders(), refuse, grace=30, log=get_logger(),
        command=program(SEND_PID + "time.sleep(1000)"),
    )  # fmt: skip
    assert not psutil.pid_exists(pids[0])
    assert end.return_code != 0


async def test_one_that_cannot_be_started_is_an_os_error() -> None:
    async def ignore(_: Sequence[Message]) -> None:
        return

    with pytest.raises(FileNotFoundError):
        await run_trainer(no_orders(), ignore, grace=1, log=get_logger(), command=["/no/such/program"])


async def test_every_line_of_its_standard_error_is_logged(capsys: pytest.CaptureFixture[str]) -> None:
    child = Child("for line in ('first', 'x' * 100_000, 'last'): print(line, file=sys.stderr)")
    await child.run()
    logged = capsys.readouterr().out
    assert logged.count("trainer_pid") == 3
    assert "first" in logged
    assert child.exit is not None
    assert child.exit.last_line == "last"
