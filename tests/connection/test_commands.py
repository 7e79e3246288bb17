"""The rate limit: a burst passes, a flood is refused command by command, abuse ends the connection."""

from collections.abc import Callable

import pytest
import trio
from trio.testing import MockClock

from hamlet_trio.connection import AbuseError, CommandStream, ReadBatch
from hamlet_trio.protocol.commands import Status, inference_commands
from hamlet_trio.protocol.errors import BadMessageError, ErrorCode
from hamlet_trio.settings import Settings

SETTINGS = Settings(command_rate=10, command_burst=5, command_abuse=20)


class Frames:
    """A transport whose client sends the same frame as fast as it is read."""

    def __init__(self, frame: str | bytes | None = '{"command": "status"}') -> None:
        self.frame = frame

    async def receive(self) -> str | bytes | None:
        await trio.lowlevel.checkpoint()
        return self.frame

    async def send(self, text: str) -> None:
        raise AssertionError("reading commands sends nothing")

    def send_nowait(self, text: str) -> bool:
        raise AssertionError("reading commands sends nothing")

    def take_with(self, take: Callable[[str], bool], batch: ReadBatch) -> None:
        self.offer = take


async def test_a_burst_passes_and_what_exceeds_it_is_refused(mock_clock: MockClock) -> None:
    stream = CommandStream(Frames(), inference_commands, SETTINGS)
    received = [await stream.receive() for _ in range(7)]
    assert received[:5] == [Status()] * 5
    for refused in received[5:]:
        assert isinstance(refused, BadMessageError)
        assert refused.code is ErrorCode.RATE_LIMITED


async def test_tokens_come_back_at_the_rate(mock_clock: MockClock) -> None:
    stream = CommandStream(Frames(), inference_commands, SETTINGS)
    for _ in range(6):
        await stream.receive()
    mock_clock.jump(0.35)
    received = [await stream.receive() for _ in range(4)]
    assert received[:3] == [Status()] * 3
    assert isinstance(received[3], BadMessageError)


async def test_a_flood_ends_the_connection_even_though_single_commands_still_pass(
    mock_clock: MockClock,
) -> None:
    stream = CommandStream(Frames(), inference_commands, SETTINGS)
    received: list[object] = []

    async def flood() -> None:
        while len(received) < 1000:
            mock_clock.jump(0.01)
            received.append(await stream.receive())

    with pytest.raises(AbuseError):
        await flood()
    refused = sum(isinstance(answer, BadMessageError) for answer in received)
    assert refused == SETTINGS.command_abuse
    assert len(received) - refused > SETTINGS.command_burst


async def test_a_pause_clears_the_record_of_abuse(mock_clock: MockClock) -> None:
    stream = CommandStream(Frames(), inference_commands, SETTINGS)
    for _ in range(10):
        for _ in range(15):
            await stream.receive()
        mock_clock.jump(1)


@pytest.mark.parametrize(
    ("frame", "code"),
    [("nonsense", ErrorCode.INVALID_JSON), (b"\x00", ErrorCode.BINARY_FRAME), (None, ErrorCode.BINARY_FRAME)],
)
async def test_a_bad_frame_is_a_value_in_its_place(frame: str | bytes | None, code: ErrorCode) -> None:
    received = await CommandStream(Frames(frame), inference_commands, SETTINGS).receive()
    assert isinstance(received, BadMessageError)
    assert received.code is code


async def test_what_is_carried_out_as_it_comes_counts_as_what_is_received(mock_clock: MockClock) -> None:
    frames = Frames()
    stream = CommandStream(frames, inference_commands, SETTINGS)
    done: list[object] = []

    def carry_out(command: object) -> bool:
        done.append(command)
        return len(done) != 2

    stream.carry_out_with(carry_out, ReadBatch())
    assert [frames.offer(str(frames.frame)) for _ in range(4)] == [True, False, True, True]
    assert await stream.receive() == Status()  # the one that was not taken counts here
    assert frames.offer(str(frames.frame))
    assert not frames.offer(str(frames.frame))
    assert len(done) == 5
    refused = await stream.receive()
    assert isinstance(refused, BadMessageError)
    assert refused.code is ErrorCode.RATE_LIMITED


async def test_what_is_refused_is_not_carried_out_as_it_comes() -> None:
    frames = Frames()
    forbidden = BadMessageError(ErrorCode.FORBIDDEN, "not you")

    def carry_out(command: object) -> bool:
        raise AssertionError(command)

    stream = CommandStream(frames, inference_commands, SETTINGS, lambda _: forbidden)
    stream.carry_out_with(carry_out, ReadBatch())
    assert not frames.offer(str(frames.frame))
    assert not frames.offer("nonsense")
