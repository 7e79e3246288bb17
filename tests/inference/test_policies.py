"""Test the policy store: a file is read once, shared, counted, and forgotten when unused."""

import os
import threading
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from hamlet_trio.agent import safe_load
from hamlet_trio.agent.models import ModelFolder
from hamlet_trio.inference.policies import LoadedPolicy, PolicyStore
from hamlet_trio.protocol.errors import BadMessageError
from hamlet_trio.world import WorldConfig
from hamlet_trio.world.world_file import make_config
from tests.inference.support import DOWN, UP, real_time_limit, save_model, uses
from tests.patience import PATIENCE


class Reads:
    """Counts how often a file is read, and can hold a read back."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.names: list[str] = []
        self.begun = threading.Event()
        self.go = threading.Event()
        self.go.set()
        read = safe_load.read_bytes

        def counted(path: Path) -> bytes:
            self.names.append(path.name)
            self.begun.set()
            assert self.go.wait(PATIENCE)
            return read(path)

        monkeypatch.setattr(safe_load, "read_bytes", counted)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    return Reads(monkeypatch)


@pytest.fixture
def store(models: Path, reads: Reads) -> PolicyStore:
    return PolicyStore(ModelFolder(models))


def action_of(loaded: LoadedPolicy) -> int:
    return int(loaded.policy.act(np.zeros((1, 72), dtype=np.float32)).actions[0])


async def test_a_file_is_read_once_for_all_who_play_it(store: PolicyStore, reads: Reads) -> None:
    with store.lease() as one, store.lease() as other:
        first, second = await one.acquire("down.pt"), await other.acquire("down.pt")
        assert first is second
        assert (first.name, first.network_type, action_of(first)) == ("down.pt", "qnetwork", DOWN)
    assert reads.names == ["down.pt"]


async def test_those_who_ask_while_it_is_read_wait_for_the_one_reading(
    store: PolicyStore, reads: Reads
) -> None:
    reads.go.clear()
    taken: list[LoadedPolicy] = []
    with real_time_limit(), store.lease() as lease:

        async def take() -> None:
            taken.append(await lease.acquire("down.pt"))

        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(take)
            await trio.to_thread.run_sync(reads.begun.wait, 60)
            await wait_all_tasks_blocked(0.05)
            reads.go.set()
        assert len(set(taken)) == 1
        assert uses(store) == 5
    assert reads.names == ["down.pt"]


async def test_a_file_that_is_in_memory_does_not_wait_for_another_being_read(
    store: PolicyStore, reads: Reads
) -> None:
    with real_time_limit(), store.lease() as lease:
        await lease.acquire("down.pt")
        reads.go.clear()
        reads.begun.clear()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lease.acquire, "up.pt")
            await trio.to_thread.run_sync(reads.begun.wait, 60)
            await lease.acquire("down.pt")
            reads.go.set()


async def test_a_replaced_file_is_read_again_and_those_who_play_the_old_one_keep_it(
    store: PolicyStore, models: Path, reads: Reads
) -> None:
    with store.lease() as lease:
        old = await lease.acquire("down.pt")
        save_model(models / "down.pt", always=UP)
        new = await lease.acquire("down.pt")
        assert (action_of(old), action_of(new)) == (DOWN, UP)
        assert reads.names == ["down.pt"] * 2
        assert store.loaded == 2
        lease.release(old)
        assert await lease.acquire("down.pt") is new


async def test_a_file_written_to_in_place_is_read_again(
    store: PolicyStore, models: Path, reads: Reads
) -> None:
    with store.lease() as lease:
        await lease.acquire("down.pt")
        stat = (models / "down.pt").stat()
        (models / "down.pt").write_bytes((models / "up.pt").read_bytes())
        os.utime(models / "down.pt", ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
        assert action_of(await lease.acquire("down.pt")) == UP


async def test_only_a_few_unused_policies_are_kept(store: PolicyStore, models: Path) -> None:
    names = [f"{number}.pt" for number in range(8)]
    for name in names:
        (models / name).write_bytes((models / "down.pt").read_bytes())
    with store.lease() as lease:
        for name in names:
            await lease.acquire(name)
        assert (store.loaded, uses(store)) == (8, 8)
    assert (store.loaded, uses(store)) == (4, 0)


async def test_an_idle_policy_is_taken_up_again_and_then_kept(store: PolicyStore, reads: Reads) -> None:
    with store.lease() as lease:
        first = await lease.acquire("down.pt")
    with store.lease() as lease:
        assert await lease.acquire("down.pt") is first
        with store.lease() as others:
            for name in ("up.pt", "interact.pt", "relational.pt", "trained_agent.pt"):
                await others.acquire(name)
        assert await lease.acquire("down.pt") is first
    assert reads.names.count("down.pt") == 1


async def test_the_old_version_of_a_replaced_file_is_not_kept_idle(store: PolicyStore, models: Path) -> None:
    with store.lease() as lease:
        await lease.acquire("down.pt")
    save_model(models / "down.pt", always=UP)
    with store.lease() as lease:
        await lease.acquire("down.pt")
    assert store.loaded == 1


async def test_a_refused_file_is_read_once_until_it_changes(
    store: PolicyStore, models: Path, reads: Reads
) -> None:
    (models / "bad.pt").write_bytes(b"nonsense")
    with store.lease() as lease:
        messages = []
        for _ in range(3):
            with pytest.raises(BadMessageError, match="not a checkpoint") as caught:
                await lease.acquire("bad.pt")
            messages.append(caught.value.message)
        assert len(set(messages)) == 1
        assert reads.names == ["bad.pt"]
        save_model(models / "bad.pt", always=UP)
        assert action_of(await lease.acquire("bad.pt")) == UP
    assert uses(store) == 0


async def test_a_cancelled_load_leaves_no_use_behind(store: PolicyStore, reads: Reads) -> None:
    reads.go.clear()
    with real_time_limit(), store.lease() as lease:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lease.acquire, "down.pt")
            nursery.start_soon(lease.acquire, "down.pt")
            await trio.to_thread.run_sync(reads.begun.wait, 60)
            nursery.cancel_scope.cancel()
            reads.go.set()
    assert uses(store) == 0
    with real_time_limit(), store.lease() as lease:
        assert action_of(await lease.acquire("down.pt")) == DOWN


async def test_the_default_is_trained_agent(store: PolicyStore) -> None:
    with store.lease() as lease:
        assert (await lease.acquire_default()).name == "trained_agent.pt"


async def test_the_default_is_else_the_newest(store: PolicyStore, models: Path) -> None:
    (models / "trained_agent.pt").unlink()
    for age, name in enumerate(("up.pt", "interact.pt", "down.pt", "relational.pt")):
        os.utime(models / name, (1_700_000_000 - age, 1_700_000_000 - age))
    with store.lease() as lease:
        assert (await lease.acquire_default()).name == "up.pt"


@pytest.mark.parametrize("damage", [b"", b"nonsense"])
async def test_a_damaged_default_gives_way_to_the_next(
    store: PolicyStore, models: Path, damage: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    (models / "trained_agent.pt").write_bytes(damage)
    for age, name in enumerate(("up.pt", "interact.pt", "down.pt", "relational.pt")):
        os.utime(models / name, (1_700_000_000 - age, 1_700_000_000 - age))
    with store.lease() as lease:
        assert (await lease.acquire_default()).name == "up.pt"
    log = "".join(capsys.readouterr())
    assert "model_refused" in log
    assert "trained_agent.pt" in log


@pytest.mark.parametrize("folder", ["empty", "missing"])
async def test_without_any_model_the_default_is_untrained(tmp_path: Path, folder: str) -> None:
    (tmp_path / "empty").mkdir()
    store = PolicyStore(ModelFolder(tmp_path / folder))
    with store.lease() as lease:
        default = await lease.acquire_default()
        assert default.name is None
        assert uses(store) == 1
    assert (uses(store), store.loaded) == (0, 0)


async def test_a_model_brings_the_world_that_it_was_trained_in(models: Path) -> None:
    config = make_config({"width": 10, "height": 9})
    save_model(models / "wide.pt", width=10, height=9, always=UP, world=msgspec.to_builtins(config))
    store = PolicyStore(ModelFolder(models))
    with store.lease() as lease:
        wide = await lease.acquire("wide.pt")
        assert wide.config == config
        assert wide.fits(config)
        assert not wide.fits(WorldConfig())
        assert (await lease.acquire("down.pt")).config == WorldConfig()


@pytest.mark.parametrize("world", [{"width": 10, "height": 6}, {"width": 10, "height": 6, "colour": 1}])
async def test_a_model_of_another_shape_must_tell_of_a_world_that_can_be(models: Path, world: Any) -> None:
    save_model(models / "wide.pt", width=10, height=6, always=UP, world=world)
    store = PolicyStore(ModelFolder(models))
    with store.lease() as lease, pytest.raises(BadMessageError, match="does not tell which"):
        await lease.acquire("wide.pt")


async def test_a_session_begins_in_the_usual_world(tmp_path: Path) -> None:
    config = make_config({"affordances": {"Gym": False}})
    save_model(tmp_path / "trained_agent.pt", always=UP, world=msgspec.to_builtins(config))
    store = PolicyStore(ModelFolder(tmp_path))
    with store.lease() as lease:
        assert (await lease.acquire_default()).name is None


async def test_a_version_is_found_though_its_file_was_replaced(store: PolicyStore, models: Path) -> None:
    sought: list[str] = []
    kept = (models / "down.pt").read_bytes()

    async def fetch(digest: str) -> bytes | None:
        sought.append(digest)
        return kept

    with store.lease() as lease:
        first = await lease.acquire("down.pt")
        digest = first.sha256
        save_model(models / "down.pt", always=UP)
        assert await lease.acquire_version("down.pt", digest, fetch) is first, "in memory"
        assert sought == []
    elsewhere = PolicyStore(ModelFolder(models))
    with elsewhere.lease() as lease:
        second = await lease.acquire_version("down.pt", digest, fetch)
        assert (second.name, action_of(second)) == ("down.pt", DOWN)
        assert action_of(await lease.acquire("down.pt")) == UP
        assert sought == [digest]


async def test_a_version_that_is_nowhere_or_another_is_refused(store: PolicyStore, models: Path) -> None:
    async def nothing(digest: str) -> bytes | None:
        return None

    async def another(digest: str) -> bytes | None:
        return (models / "up.pt").read_bytes()

    with store.lease() as lease:
        for fetch in (nothing, another):
            with pytest.raises(BadMessageError) as refused:
                await lease.acquire_version("down.pt", "0" * 64, fetch)
            assert refused.value.code == "unknown_model"
    assert uses(store) == 0
