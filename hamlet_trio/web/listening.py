"""Open the listening sockets, or explain in one sentence why that failed."""

import errno
import socket
from typing import Final

_BACKLOG: Final = 1024
_ABSENT: Final = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT)
_IPV4_OF_LOCALHOST: Final = frozenset({"0.0.0.0", "127.0.0.1"})  # noqa: S104  # recognised, not bound


class CannotListenError(Exception):
    """The server cannot listen on the address; the message says what to do in one sentence."""


def listen(host: str, port: int) -> list[socket.socket]:
    """Return sockets that listen on every address of the host, such as the two of `localhost`.

    Port 0 lets the system choose one port for all addresses; "::" includes every IPv4 address. An address
    that this machine lacks, such as that of `localhost` in IPv6, is left out if there is another one.
    Raises `CannotListenError` if the port is in use, even if only on [::1], or the host does not belong to
    this machine.
    """
    name = host.removeprefix("[").removesuffix("]")
    sockets: list[socket.socket] = []
    absent: list[OSError] = []
    try:
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, address in dict.fromkeys((family, address) for family, _, _, _, address in found):
            chosen = sockets[0].getsockname()[1] if sockets else port  # one port for all addresses
            try:
                sockets.append(_listen_on(family, (address[0], chosen, *address[2:])))
            except OSError as error:
                if error.errno not in _ABSENT:
                    raise
                absent.append(error)
        if not sockets:
            raise absent[0]
        if port and {opened.getsockname()[0] for opened in sockets} <= _IPV4_OF_LOCALHOST:
            _require_free_ipv6(port)
    except (OSError, UnicodeError) as error:
        for opened in sockets:
            opened.close()
        raise CannotListenError(_explain(error, host, port)) from error
    return sockets


def _listen_on(family: int, address: tuple[object, ...]) -> socket.socket:
    is_any = address[0] == "::" and socket.has_dualstack_ipv6()
    opened = socket.create_server(address, family=family, backlog=_BACKLOG, dualstack_ipv6=is_any)
    opened.setblocking(False)
    return opened


def _require_free_ipv6(port: int) -> None:
    """Raise `OSError` if another program has the port on [::1], where browsers look for localhost first."""
    try:
        socket.create_server(("::1", port), family=socket.AF_INET6).close()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise


def _explain(error: OSError | UnicodeError, host: str, port: int) -> str:
    elsewhere = f"choose another one, such as HAMLET_PORT={port + 1 if 0 < port < 65535 else 9000}"
    reason = getattr(error, "errno", None)
    if reason == errno.EADDRINUSE:
        return (
            f"Port {port} is in use, perhaps by another Hamlet; {elsewhere} "
            f"(or --port {elsewhere.rpartition('=')[2]})."
        )
    if reason == errno.EACCES:
        return f"Port {port} may only be opened by an administrator; {elsewhere}."
    return (
        f"Cannot listen on {host}, port {port}: {getattr(error, 'strerror', None) or error}. "
        "HAMLET_HOST is 0.0.0.0 for every address of this machine, 127.0.0.1 for this machine alone."
    )
