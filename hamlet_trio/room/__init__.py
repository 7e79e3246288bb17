"""Rooms: members of a class who point, draw, vote, and follow each other's lives.

A room relays everything. Where browsers can connect to each other directly, the page lets those connections
carry cursors and frames in its place; the server passes on their signals and answers STUN.
"""

from hamlet_trio.room.member import serve_member
from hamlet_trio.room.service import RoomService

__all__ = ["RoomService", "serve_member"]
