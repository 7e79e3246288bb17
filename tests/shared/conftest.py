"""A redis-server, and shelves of instances over it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hamlet_trio.settings import Settings
from tests.shared.redis_server import RedisServer, running_redis


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A running server without data."""
    with running_redis(tmp_path) as server:
        yield server


@pytest.fixture
def settings(tmp_path: Path, redis: RedisServer) -> Settings:
    """The settings of all instances that train over this server and one data folder."""
    return Settings(
        models_dir=str(tmp_path / "models"),
        data_dir=str(tmp_path / "data"),
        device="cpu",
        shutdown_grace=60,
        redis_url=redis.url,
    )
