"""Which client is it? The peer's address, or what a proxy that is trusted says."""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

UNKNOWN: Final = "unknown"
_HOST_BITS: Final = 64  # of an IPv6 address, which are the client's own to choose


class Proxies:
    """The proxies whose word is taken; a proxy's header from anybody else counts for nothing."""

    def __init__(self, trusted: Iterable[str]) -> None:
        self._networks = [ip_network(name, strict=False) for name in trusted]

    def trust(self, peer: str | None) -> bool:
        """Whether this peer is one of them."""
        address = _parse(peer)
        return address is not None and self._has(address)

    def client(self, peer: str | None, forwarded: Sequence[str], real: Sequence[str]) -> str:
        """The client's address, given the values of `X-Forwarded-For` and of `X-Real-IP`.

        Each proxy adds the address that it saw at the right of X-Forwarded-For. So from the right, the first
        that is no trusted proxy is the client; what stands further left, the client may have invented.
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
    """An address, an IPv4 one also where it is dressed as IPv6; None for anything else."""
    try:
        address = ip_address((text or "").strip().removeprefix("[").removesuffix("]"))
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def counted_as(client: str) -> str:
    """What limits count a client as: its address, or the network of 2**64 addresses that an IPv6 one has."""
    address = _parse(client)
    if isinstance(address, IPv6Address):
        return str(IPv6Network((int(address) >> _HOST_BITS << _HOST_BITS, 128 - _HOST_BITS)))
    return client
