"""Find the client's address: the peer's own, or the one that a trusted proxy reports."""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

UNKNOWN: Final = "unknown"
_HOST_BITS: Final = 64  # of an IPv6 address, which are the client's own to choose


class Proxies:
    """Hold the trusted proxies; forwarding headers from any other peer are ignored."""

    def __init__(self, trusted: Iterable[str]) -> None:
        self._networks = [ip_network(name, strict=False) for name in trusted]

    def trust(self, peer: str | None) -> bool:
        """Return whether this peer is a trusted proxy."""
        address = _parse(peer)
        return address is not None and self._has(address)

    def client(self, peer: str | None, forwarded: Sequence[str], real: Sequence[str]) -> str:
        """Return the client's address, given the values of `X-Forwarded-For` and of `X-Real-IP`.

        Each proxy appends the address it saw to X-Forwarded-For. Read from the right, the first address that
        is not a trusted proxy is the client; the client may have invented everything to the left of it.
        """
        address = _parse(peer)
        if address is None:
            return UNKNOWN
        claimed = [part for value in forwarded for part in value.split(",")] or list(real[-1:])
        while claimed and self._has(address):
            further = _parse(claimed.pop())
            if further is None:
                break
            address = further
        return str(address)

    def _has(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self._networks)


def _parse(text: str | None) -> IPv4Address | IPv6Address | None:
    """Parse an address, unwrapping an IPv4-mapped IPv6 one; return None for anything else."""
    try:
        address = ip_address((text or "").strip().removeprefix("[").removesuffix("]"))
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def limit_key(client: str) -> str:
    """Return the key that limits count a client by: its IPv4 address, or its /64 network for IPv6."""
    address = _parse(client)
    if isinstance(address, IPv6Address):
        return str(IPv6Network((int(address) >> _HOST_BITS << _HOST_BITS, 128 - _HOST_BITS)))
    return client
