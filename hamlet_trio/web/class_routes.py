"""The routes of the class leaderboard."""

import socket
from http import HTTPStatus
from ipaddress import ip_address
from typing import Annotated, Final

from msgspec import Meta, Struct
from quart import Blueprint, Response, request

from hamlet_trio.protocol.class_player import ClassPlayer
from hamlet_trio.web.metaserver import Metaserver
from hamlet_trio.web.responses import as_json

_EVERYWHERE: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104  # recognised, not bound
_OUTSIDE: Final = ("192.0.2.1", 9)  # RFC 5737: an address that is nobody's


class ClassResponse(Struct, frozen=True):
    """`GET /api/class`: who plays, and how long they lived."""

    here: Annotated[int, Meta(description="players who have joined and are connected")]
    players: Annotated[list[ClassPlayer], Meta(description="all players, the longest life first")]
    host: Annotated[
        str | None,
        Meta(
            description="for who asks as `localhost`: this machine's address in its network; null if it is "
            "not known, not served, or not needed"
        ),
    ]


def make_class_routes(server: Metaserver) -> Blueprint:
    """Return the routes of the class leaderboard."""
    routes = Blueprint("class", __name__)
    board = server.inference.class_board

    @routes.get("/api/class")
    async def show() -> Response:
        host = None
        if server.settings.host in _EVERYWHERE and _is_loopback(request.host):
            host = address_in_network()
        return as_json(ClassResponse(board.here, board.standings(), host))

    @routes.delete("/api/class")
    async def restart() -> Response:
        """Begin anew: forget all lives, and the players who are away."""
        board.restart()
        return Response("", HTTPStatus.NO_CONTENT)

    return routes


def address_in_network() -> str | None:
    """Return the address from which this machine reaches others, None without a network; send nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_OUTSIDE)  # a datagram socket only chooses its route by this
        except OSError:
            return None
        host = str(probe.getsockname()[0])
    return None if ip_address(host).is_loopback else host


def _is_loopback(authority: str) -> bool:
    """Return whether the authority of a URL names this machine itself."""
    name = authority.rpartition(":")[0] if not authority.endswith("]") and ":" in authority else authority
    name = name.strip("[]")
    if name == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
