"""Rooms: members of a class who point, draw, vote, and follow each other's lives.

A room relays everything. For clients that would rather connect to each other it passes signals on, and
answers STUN.
"""

from hamlet_trio.room.member import serve_member
from hamlet_trio.room.replication import ReplicatedRooms
from hamlet_trio.room.service import RoomService

__all__ = ["ReplicatedRooms", "RoomService", "serve_member"]
