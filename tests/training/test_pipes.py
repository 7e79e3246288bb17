"""The trainer's ends of its pipes: orders come in order, frames give way, events never."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from hamlet_trio.protocol.messages import Paused, encode_bytes
from hamlet_trio.training.link import Message, MessageKind, PipeReader, pack
from hamlet_trio.training.orders import PauseOrder, StopOrder, encode_control
from hamlet_trio.training.pipes import MAX_EVENTS, MAX_FRAMES, MessageWriter, OrderReader


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    pipe = os.fstat(reading).st_ino
    yield reading, writing
    for descriptor in (reading, writing):
        with suppress(OSError):  # closed by the test; its number may stand for something else by now
            if os.fstat(descriptor).st_ino == pipe:
                os.close(descriptor)


def everything(reading: int) -> list[Message]:
    reader, received = PipeReader(reading), []
    while (message := reader.receive()) is not None:
        received.append(message)
    return received


def test_orders_come_in_order_and_the_end_of_the_pipe_last_forever(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    orders = OrderReader(reading)
    for order in (PauseOrder(), StopOrder()):
        os.write(writing, pack(MessageKind.CONTROL, encode_control(order)))
    os.close(writing)
    assert [orders.get() for _ in range(4)] == [PauseOrder(), StopOrder(), None, None]
    assert orders.has_order()


def test_orders_are_waited_for_until_the_deadline_and_not_longer(pipe: tuple[int, int]) -> None:
    orders = OrderReader(pipe[0])
    assert not orders.has_order()
    deadline = time.monotonic() + 0.02
    with pytest.raises(TimeoutError):
        orders.get(deadline)
    assert time.monotonic() >= deadline
    with pytest.raises(TimeoutError):
        orders.get(deadline)  # passed: does not wait


@pytest.mark.parametrize("garbage", [b"garbage on the pipe", pack(MessageKind.CONTROL, b"\xc1")])
def test_garbage_on_the_pipe_is_the_end_of_orders(
    pipe: tuple[int, int], garbage: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    os.write(pipe[1], garbage)
    assert OrderReader(pipe[0]).get() is None
    assert "the orders broke off" in capfd.readouterr().err


def test_what_waits_is_written_before_the_pipe_is_closed(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    writer = MessageWriter(writing)
    for step in range(100):
        writer.announce(Paused(1, step))
    writer.close()
    assert everything(reading) == [(MessageKind.EVENT, encode_bytes(Paused(1, step))) for step in range(100)]


def test_when_nobody_reads_frames_give_way_to_newer_ones_and_events_stay(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    writer = MessageWriter(writing)
    # Fill the pipe itself, so that the writer stands still, until frames begin to give way.
    count = 3 * MAX_FRAMES + 70_000 // len(encode_bytes(Paused(1, 10_000)))
    for step in range(count):
        writer.show(Paused(1, 10_000 + step))
    writer.announce(Paused(2, 0))
    drained: list[Message] = []
    reader = threading.Thread(target=lambda: drained.extend(everything(reading)))
    reader.start()
    writer.close()
    reader.join()
    frames = [message.payload for message in drained if message.kind is MessageKind.FRAME]
    sent = [encode_bytes(Paused(1, 10_000 + step)) for step in range(count)]
    assert len(frames) < count
    assert frames == sorted(set(frames))
    assert frames[-MAX_FRAMES:] == sent[-MAX_FRAMES:]
    assert drained[-1] == (MessageKind.EVENT, encode_bytes(Paused(2, 0)))


def test_a_stalled_server_makes_the_learner_wait_and_loses_nothing(
    pipe: tuple[int, int],
) -> None:
    reading, writing = pipe
    writer = MessageWriter(writing)
    total = MAX_EVENTS + 10_000
    passed = threading.Semaphore(0)

    def announce() -> None:
        for step in range(total):
            writer.announce(Paused(1, step))
            passed.release()

    learner = threading.Thread(target=announce)
    learner.start()
    for _ in range(MAX_EVENTS):
        passed.acquire()
    drained: list[Message] = []
    reader = threading.Thread(target=lambda: drained.extend(everything(reading)))
    reader.start()
    learner.join()
    writer.close()
    reader.join()
    assert drained == [(MessageKind.EVENT, encode_bytes(Paused(1, step))) for step in range(total)]


def test_once_nobody_can_read_messages_go_nowhere_and_nothing_waits(
    pipe: tuple[int, int], capfd: pytest.CaptureFixture[str]
) -> None:
    reading, writing = pipe
    os.close(reading)
    writer = MessageWriter(writing)
    for step in range(MAX_EVENTS + 10):
        writer.announce(Paused(1, step))
    writer.close()
    assert "nobody reads the trainer's messages" in capfd.readouterr().err


def test_standard_output_is_kept_for_messages() -> None:
    program = (
        "import os, sys\n"
        "from hamlet_trio.training.pipes import take_over_pipes\n"
        "orders, messages = take_over_pipes()\n"
        "print('from Python', flush=True)\n"
        "os.system('echo from a child')\n"
        "os.write(messages, os.read(orders, 100))\n"
        "assert sys.stdin.read() == ''\n"
    )
    done = subprocess.run([sys.executable, "-c", program], input=b"orders", capture_output=True, check=True)
    assert done.stdout == b"orders"
    assert done.stderr.split(b"\n")[:2] == [b"from Python", b"from a child"]
