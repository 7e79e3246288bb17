"""Test that a line sink never blocks or fails its caller, whatever its descriptor does."""

import os
import queue
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from hamlet_trio.common.line_sink import MAX_WAITING, LineSink
from tests.patience import PATIENCE

LINE = "x" * 9_999


class Pipe:
    """A pipe and a sink that writes to it."""

    def __init__(self) -> None:
        self.reading, writing = os.pipe()
        self.lost: queue.Queue[int] = queue.Queue()
        self.sink = LineSink(writing, self.lost.put)

    def fill(self) -> int:
        """Fill the pipe, so that the sink cannot write until somebody reads; return the number of bytes."""
        os.set_blocking(self.sink.descriptor, False)
        filled = 0
        with suppress(BlockingIOError):
            while True:
                filled += os.write(self.sink.descriptor, b"x")
        os.set_blocking(self.sink.descriptor, True)
        return filled

    def read_all(self) -> bytes:
        """Read until nothing is left to write."""
        read = bytearray()
        ended = threading.Event()

        def collect() -> None:
            while chunk := os.read(self.reading, 2**20):
                read.extend(chunk)
            ended.set()

        threading.Thread(target=collect, daemon=True).start()
        assert self.sink.flush(30)
        os.close(self.sink.descriptor)
        assert ended.wait(PATIENCE)
        return bytes(read)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """A pipe that nobody reads yet."""
    made = Pipe()
    yield made
    os.close(made.reading)


def test_lines_arrive_in_order(pipe: Pipe) -> None:
    for number in range(1_000):
        pipe.sink.write(f"line {number} \ud800")
    lines = pipe.read_all().decode().splitlines()
    assert lines == [f"line {number} \\ud800" for number in range(1_000)]
    assert pipe.sink.dropped == 0


def test_a_reader_that_takes_nothing_costs_lines_which_are_counted_and_reported_once(pipe: Pipe) -> None:
    filled = pipe.fill()  # else the sink may write, and report, while lines are still dropped
    written = 3 * MAX_WAITING // len(LINE)
    for _ in range(written):
        pipe.sink.write(LINE)  # returns, although nobody reads
    dropped = pipe.sink.dropped
    assert written // 2 < dropped < written
    lines = pipe.read_all()[filled:].splitlines()
    assert len(lines) == written - dropped
    assert {len(line) for line in lines} == {len(LINE)}
    assert pipe.lost.get(timeout=PATIENCE) == dropped
    assert pipe.lost.empty()


def test_a_reader_that_is_gone_fails_nobody() -> None:
    pipe = Pipe()
    os.close(pipe.reading)
    for _ in range(10):
        pipe.sink.write(LINE)
    assert pipe.sink.flush(30)
    assert pipe.sink.dropped == 10
    os.close(pipe.sink.descriptor)
    pipe.sink.write("to nobody at all")
    assert pipe.sink.flush(30)
    assert pipe.sink.dropped == 11
