"""`hamlet deploy check` asks the Redis that the settings name."""

import signal

import pytest

from hamlet_trio.cli.deploy import store_check
from hamlet_trio.cli.deploy.findings import Severity
from hamlet_trio.settings import Settings
from tests.ports import free_port
from tests.shared.redis_server import RedisServer


def found(url: str) -> list[tuple[Severity, str]]:
    """What the check says of this Redis."""
    return [(verdict, text) for verdict, _, text in store_check.check_store(Settings(redis_url=url))]


def test_without_one_nothing_is_said() -> None:
    assert found("") == []


def test_what_would_lose_sessions_is_named(redis: RedisServer) -> None:
    redis.ask("CONFIG", "SET", "maxmemory", "256mb")
    ((verdict, text),) = found(redis.url)
    assert verdict is Severity.FINE
    assert "answers" in text
    for name, value, named in (
        ("maxmemory-policy", "allkeys-lru", "noeviction"),
        ("maxmemory", "0", "256mb"),
        ("appendonly", "no", "appendonly yes"),
    ):
        redis.ask("CONFIG", "SET", name, value)
        said = [text for verdict, text in found(redis.url) if verdict is Severity.WARNING]
        assert any(named in text for text in said), said


def test_a_data_folder_that_looks_like_its_own_is_named(redis: RedisServer) -> None:
    settings = Settings(redis_url=redis.url, port=8765, data_dir="/var/lib/hamlet/data-8765")
    assert any("data-8765 looks like" in text for _, _, text in store_check.check_store(settings))


def test_one_that_is_not_there_or_does_not_answer_is_a_problem(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    ((verdict, text),) = found(f"redis://127.0.0.1:{free_port()}")
    assert verdict is Severity.PROBLEM
    assert "cannot be used" in text
    monkeypatch.setattr(store_check, "_PATIENCE", 0.3)
    redis.signal(signal.SIGSTOP)
    ((verdict, text),) = found(redis.url)
    redis.signal(signal.SIGCONT)
    assert verdict is Severity.PROBLEM
    assert "cannot be used" in text
