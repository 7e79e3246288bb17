"""A room service that runs, and members of the class."""

import random
from collections.abc import AsyncIterator

import pytest
import trio
from trio.testing import MockClock

from hamlet_trio.connection import SharedSessions
from hamlet_trio.room import RoomService
from hamlet_trio.settings import Settings
from tests.room.support import Member, member


@pytest.fixture
def sessions() -> SharedSessions:
    """Sessions that may be followed."""
    return SharedSessions()


@pytest.fixture
async def rooms(sessions: SharedSessions, mock_clock: MockClock, nursery: trio.Nursery) -> RoomService:
    """A service whose clock stands until a test moves it."""
    service = RoomService(Settings(), sessions, lots=random.Random(1))
    nursery.start_soon(service.run)
    return service


@pytest.fixture
async def ann(rooms: RoomService) -> AsyncIterator[Member]:
    """A member of the class."""
    async with member(rooms) as joined:
        await joined.join()
        yield joined


@pytest.fixture
async def ben(rooms: RoomService, ann: Member) -> AsyncIterator[Member]:
    """Another one, who came later."""
    async with member(rooms) as joined:
        await joined.join()
        await ann.heard()
        yield joined
