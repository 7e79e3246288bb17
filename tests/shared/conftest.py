"""A redis-server, and shelves of instances over it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.shared.redis_server import RedisServer, running_redis


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A running server without data."""
    with running_redis(tmp_path) as server:
        yield server
