"""STUN binding requests are answered as RFC 8489 says, and nothing else is."""

import socket
import struct

import pytest
import trio
from trio.testing import MockClock

from hamlet_trio.room.stun import StunGuard, answer, serve_stun

TRANSACTION = bytes.fromhex("b7e7a701bc34d686fa87dfae")
REQUEST = struct.pack("!HHI", 1, 0, 0x2112A442) + TRANSACTION


def test_the_address_is_that_of_rfc_5769() -> None:
    """Sections 2.2 and 2.3: the same transaction, and an IPv4 and an IPv6 address."""
    four = answer(REQUEST, "192.0.2.1", 32853)
    assert four == struct.pack("!HHI", 0x101, 12, 0x2112A442) + TRANSACTION + bytes.fromhex(
        "002000080001a147e112a643"
    )
    six = answer(REQUEST, "2001:db8:1234:5678:11:2233:4455:6677", 32853)
    assert six is not None
    assert six[20:] == bytes.fromhex("002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9")


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        REQUEST[:19],
        REQUEST + b"x",
        struct.pack("!HHI", 0x101, 0, 0x2112A442) + TRANSACTION,
        struct.pack("!HHI", 1, 0, 0x2112A443) + TRANSACTION,
        struct.pack("!HHI", 1, 4, 0x2112A442) + TRANSACTION,
    ],
)
def test_anything_else_gets_no_answer(datagram: bytes) -> None:
    assert answer(datagram, "192.0.2.1", 1) is None


async def test_public_addresses_and_floods_get_no_answer(mock_clock: MockClock) -> None:
    guard = StunGuard()
    assert not guard.admits("8.8.8.8")
    assert [guard.admits("192.168.1.2") for _ in range(25)] == [True] * 20 + [False] * 5
    assert guard.admits("192.168.1.3")
    mock_clock.jump(0.05)
    assert guard.admits("192.168.1.2")
    assert guard.admits("::1")


async def test_it_answers_over_udp(nursery: trio.Nursery) -> None:
    ports: list[int] = []
    bound = trio.Event()

    def listening(port: int) -> None:
        ports.append(port)
        bound.set()

    nursery.start_soon(serve_stun, "127.0.0.1", 0, listening)
    await bound.wait()
    with trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        await client.bind(("127.0.0.1", 0))
        await client.sendto(b"nonsense", ("127.0.0.1", ports[0]))
        await client.sendto(REQUEST, ("127.0.0.1", ports[0]))
        reply, _ = await client.recvfrom(1500)
        assert reply == answer(REQUEST, *client.getsockname())
