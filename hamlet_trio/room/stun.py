"""Answer STUN binding requests (RFC 8489), so that browsers on two segments find each other."""

import ipaddress
import struct
from collections.abc import Callable
from typing import Final

import trio

from hamlet_trio.connection import TokenBucket

_HEADER: Final = struct.Struct("!HHI")
_REQUEST: Final = 0x0001
_SUCCESS: Final = 0x0101
_COOKIE: Final = 0x2112A442
_XOR_MAPPED_ADDRESS: Final = 0x0020
_IPV4: Final = 0x01
_IPV6: Final = 0x02
_TRANSACTION: Final = slice(8, 20)
_LONGEST: Final = 1500
_RATE: Final = 20.0  # answers a second to one address
_MAX_ADDRESSES: Final = 4096


def answer(request: bytes, address: str, port: int) -> bytes | None:
    """Return the answer to a datagram from this address, or None if it is no binding request.

    The answer holds the address (XOR-MAPPED-ADDRESS, section 14.2) and is at most 44 bytes long.
    """
    if len(request) < 20:
        return None
    kind, length, cookie = _HEADER.unpack_from(request)
    if kind != _REQUEST or cookie != _COOKIE or len(request) != 20 + length:
        return None
    transaction = request[_TRANSACTION]
    packed = ipaddress.ip_address(address).packed
    mask = struct.pack("!I", _COOKIE) + transaction
    mapped = bytes(byte ^ key for byte, key in zip(packed, mask, strict=False))
    family = _IPV4 if len(packed) == 4 else _IPV6
    value = struct.pack("!xBH", family, port ^ (_COOKIE >> 16)) + mapped
    attribute = struct.pack("!HH", _XOR_MAPPED_ADDRESS, len(value)) + value
    return _HEADER.pack(_SUCCESS, len(attribute), _COOKIE) + transaction + attribute


class StunGuard:
    """Decide whom to answer: private addresses alone, each at most `_RATE` times a second.

    Memory: at most `_MAX_ADDRESSES` addresses; with more, those that were quiet are forgotten, and while all
    are busy new ones get no answer.
    """

    def __init__(self) -> None:
        self._buckets: dict[str, TokenBucket] = {}

    def admits(self, address: str) -> bool:
        """Return whether to answer this address now."""
        if not ipaddress.ip_address(address).is_private:
            return False
        bucket = self._buckets.get(address)
        if bucket is None:
            if len(self._buckets) >= _MAX_ADDRESSES:
                self._buckets = {known: held for known, held in self._buckets.items() if not held.full}
                if len(self._buckets) >= _MAX_ADDRESSES:
                    return False
            bucket = self._buckets[address] = TokenBucket(_RATE, int(_RATE))
        return bucket.take()


async def serve_stun(host: str, port: int, listening: Callable[[int], None]) -> None:
    """Answer binding requests on a UDP port until cancelled; `listening` is told the port.

    Raises `OSError` if the port cannot be had.
    """
    guard = StunGuard()
    found = await trio.socket.getaddrinfo(host, port, type=trio.socket.SOCK_DGRAM)
    family, kind, protocol, _, address = found[0]
    with trio.socket.socket(family, kind, protocol) as socket:
        await socket.bind(address)
        listening(socket.getsockname()[1])
        while True:
            try:
                data, (sender, sender_port, *_) = await socket.recvfrom(_LONGEST)
            except ConnectionError:
                continue  # Windows reports that an earlier answer was not wanted
            if not guard.admits(sender):
                continue
            reply = answer(data, sender, sender_port)
            if reply is not None:
                await socket.sendto(reply, (sender, sender_port))
