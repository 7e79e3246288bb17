"""Check the Redis that HAMLET_REDIS_URL names: whether it answers, and keeps sessions as it should."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import trio

from hamlet_trio.cli.deploy.findings import Finding, fine, problem, unchecked, warning
from hamlet_trio.settings import Settings

_PATIENCE = 5.0
_OLDEST = (6, 2)


class _Answers(NamedTuple):
    """What Redis tells of itself; `settings` is None where the user may not ask for them."""

    version: str
    settings: dict[str, str] | None


def check_store(settings: Settings) -> Iterator[Finding]:
    """Ask Redis, if the settings name one. Changes nothing there."""
    if not settings.redis_url:
        return
    try:
        import coredis  # noqa: F401 - an extra
    except ModuleNotFoundError:
        yield problem("redis", "HAMLET_REDIS_URL needs the extra redis: pip install 'hamlet-trio[redis]'.")
        return
    if settings.session_grace == 0:
        yield warning("redis", "With HAMLET_SESSION_GRACE=0 nobody goes on while Redis is away.")
    if str(settings.port) in Path(settings.data_dir).name:
        yield warning(
            "redis",
            f"HAMLET_DATA_DIR={settings.data_dir} looks like this instance's alone; others can go on with "
            "its run only where all have one folder.",
        )
    answers = trio.run(_ask, settings.redis_url)
    if isinstance(answers, str):
        yield problem(
            "redis",
            f"Redis cannot be used: {answers} Sessions would play, and end with their instance.",
        )
        return
    yield from _judge(answers)


def _judge(answers: _Answers) -> Iterator[Finding]:
    version = tuple(int(part) for part in answers.version.split(".")[:2] if part.isdigit())
    if version < _OLDEST:
        yield problem("redis", f"Redis {answers.version} is too old; 6.2 or newer is needed.")
        return
    yield fine("redis", f"Redis {answers.version} answers.")
    if answers.settings is None:
        yield unchecked("redis", "Its user may not ask for Redis' settings (CONFIG GET).")
        return
    if (policy := answers.settings.get("maxmemory-policy")) != "noeviction":
        yield warning(
            "redis", f"With maxmemory-policy {policy} a full Redis drops sessions at random; use noeviction."
        )
    if answers.settings.get("maxmemory") == "0":
        yield warning("redis", "Redis may take all memory of its machine; set maxmemory, such as 256mb.")
    if answers.settings.get("appendonly") != "yes":
        yield warning("redis", "Without appendonly yes, a restart of Redis loses sessions that nobody has.")


async def _ask(url: str) -> _Answers | str:
    """Return what Redis tells, or why it tells nothing, as a sentence."""
    from coredis.exceptions import RedisError

    from hamlet_trio.common.descriptions import reason_of
    from hamlet_trio.shared.redis_store import as_text, new_client

    found: list[_Answers] = []
    reason = f"it did not answer within {_PATIENCE:g} s"
    try:
        with trio.move_on_after(_PATIENCE):
            async with new_client(url, "hamlet-check", max_connections=1) as client:
                information = await client.info("server")
                try:
                    names = ["maxmemory", "maxmemory-policy", "appendonly"]
                    told = (await client.config_get(names)).items()
                    settings = {as_text(name): as_text(value) for name, value in told}
                except RedisError:
                    found.append(_Answers(as_text(information["redis_version"]), None))
                else:
                    found.append(_Answers(as_text(information["redis_version"]), settings))
    except* (RedisError, OSError, ValueError) as errors:
        reason = reason_of(errors) or "it refuses the connection"
    return found[0] if found else f"{reason.rstrip('.')}."
