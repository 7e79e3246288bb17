"""Messages over pipes: whole however they are cut, bounded, and garbage is told from them."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import memory_stream_one_way_pair

from hamlet_trio.training.link import (
    MAX_LENGTH,
    LinkError,
    Message,
    MessageDecoder,
    MessageKind,
    MessageStream,
    PipeReader,
    pack,
)

messages = st.lists(st.builds(Message, st.sampled_from(MessageKind), st.binary(max_size=300)))


@given(messages, st.lists(st.integers(1, 50), min_size=1))
def test_messages_survive_any_cutting(sent: list[Message], cuts: list[int]) -> None:
    stream = b"".join(pack(*message) for message in sent)
    decoder, received = MessageDecoder(), []
    while stream:
        cut = cuts[len(stream) % len(cuts)]
        decoder.feed(stream[:cut])
        stream = stream[cut:]
        while (message := decoder.next()) is not None:
            received.append(message)
    decoder.finish()
    assert received == sent


def test_a_message_that_is_too_long_is_not_packed() -> None:
    with pytest.raises(LinkError, match="longer than"):
        pack(MessageKind.EVENT, bytes(MAX_LENGTH + 1))


@pytest.mark.parametrize(
    "garbage",
    [b"Traceback (most recent call last)", b"\xff\xff\xff\xff\x01", b"\x00\x00\x00\x01\x00a"],
    ids=["text", "absurd length", "unknown kind"],
)
def test_garbage_is_recognised_before_it_is_waited_for(garbage: bytes) -> None:
    decoder = MessageDecoder()
    decoder.feed(garbage)
    with pytest.raises(LinkError, match="something other than messages"):
        decoder.next()


@given(st.binary(max_size=40))
def test_any_bytes_give_messages_or_a_link_error(data: bytes) -> None:
    decoder = MessageDecoder()
    decoder.feed(data)
    try:
        while decoder.next() is not None:
            pass
        decoder.finish()
    except LinkError:
        pass


def test_a_pipe_is_read_until_it_is_closed() -> None:
    reading, writing = os.pipe()
    os.write(writing, pack(MessageKind.EVENT, b"one") + pack(MessageKind.FRAME, b""))
    os.close(writing)
    reader = PipeReader(reading)
    assert [reader.receive() for _ in range(3)] == [
        (MessageKind.EVENT, b"one"),
        (MessageKind.FRAME, b""),
        None,
    ]
    os.close(reading)


def test_a_pipe_that_ends_within_a_message_is_an_error() -> None:
    reading, writing = os.pipe()
    os.write(writing, pack(MessageKind.EVENT, b"one")[:-1])
    os.close(writing)
    with pytest.raises(LinkError, match="in the middle"):
        PipeReader(reading).receive()
    os.close(reading)


async def test_a_stream_is_read_until_it_is_closed() -> None:
    writing, reading = memory_stream_one_way_pair()
    await writing.send_all(pack(MessageKind.EVENT, b"one") + pack(MessageKind.CONTROL, b"two"))
    await writing.aclose()
    stream = MessageStream(reading)
    assert await stream.receive() == [(MessageKind.EVENT, b"one"), (MessageKind.CONTROL, b"two")]
    assert await stream.receive() == []


async def test_what_came_before_garbage_is_received_first() -> None:
    writing, reading = memory_stream_one_way_pair()
    await writing.send_all(pack(MessageKind.EVENT, b"one") + b"garbage!")
    stream = MessageStream(reading)
    assert await stream.receive() == [(MessageKind.EVENT, b"one")]
    with pytest.raises(LinkError, match="something other than messages"):
        await stream.receive()
