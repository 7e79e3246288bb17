"""The service: places, readiness, and what happens when a part of it fails."""

import subprocess
import sys
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from hamlet_trio.agent.models import ModelFolder
from hamlet_trio.agent.policy import Policy
from hamlet_trio.connection import ServerFullError
from hamlet_trio.inference import InferenceService
from hamlet_trio.inference.batch_executor import BatchExecutor
from hamlet_trio.inference.engine import PolicyEngine
from hamlet_trio.inference.statistics import Histogram
from hamlet_trio.protocol.errors import ErrorCode
from hamlet_trio.protocol.messages import Error, StateUpdate
from hamlet_trio.settings import Settings
from tests.inference.support import advance, connected, free_slots, greeted, real_time_limit


def test_importing_inference_imports_neither_torch_nor_numpy() -> None:
    code = "import sys, hamlet_trio.inference; sys.exit(bool({'torch', 'numpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


async def test_admit_until_all_places_are_taken(service: InferenceService) -> None:
    with service.admit(), service.admit(), service.admit():
        with service.admit():
            assert service.active_sessions == service.capacity == 4
            with pytest.raises(ServerFullError, match=r"All 4 sessions are in use \(HAMLET_MAX_SESSIONS\)"):
                service.admit().__enter__()
            assert service.active_sessions == 4
        with service.admit():
            pass
    assert service.active_sessions == 0


async def test_ready_only_once_torch_is_there(models: Path) -> None:
    service = InferenceService(Settings(max_sessions=1), ModelFolder(models))
    assert not service.ready.is_set()
    assert not service.statistics().ready
    with real_time_limit():
        async with trio.open_nursery() as nursery:
            await nursery.start(service.run)
            await service.ready.wait()
            assert service.statistics().ready
            nursery.cancel_scope.cancel()


def sample(histogram: Histogram, suffix: str, **labels: str) -> float:
    """One number of a histogram, as a scrape sees it."""
    (family,) = histogram.collect()
    return next(s.value for s in family.samples if s.name.endswith(suffix) and s.labels == labels)


async def test_statistics_count_what_happened(service: InferenceService) -> None:
    with real_time_limit():
        async with greeted(service) as client:
            await client.steps(5)
            numbers = service.statistics()
            assert (numbers.active_sessions, numbers.capacity, numbers.loaded_policies) == (1, 4, 1)
            assert (numbers.requests, numbers.steps, numbers.frames, numbers.episodes) == (6, 5, 6, 1)
            assert (numbers.failed_requests, numbers.failed_sessions, numbers.engine_restarts) == (0, 0, 0)
            assert numbers.batches == 6
            assert numbers.compute_seconds > 0
            assert sample(numbers.step_seconds, "_count") == 6
            assert sample(numbers.batch_sizes, "_bucket", le="1.0") == 6
            client.say_raw("{")
            await client.skip_to(Error)
            assert numbers.errors[ErrorCode.INVALID_JSON] == 1
            assert sample(numbers.frame_seconds, "_count") == 6
    assert service.statistics().active_sessions == 0
    assert numbers.active_sessions == 1, "a snapshot stays as it was"


async def test_a_policys_error_ends_its_sessions_with_1011_and_no_other(
    service: InferenceService, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with real_time_limit():
        async with (
            greeted(service) as unlucky,
            greeted(service) as other,
        ):
            other.say("load_model", model="down.pt")
            await other.skip_to(StateUpdate)
            act = Policy.act

            def failing(policy: Policy, *arguments: object, **options: object) -> object:
                if policy is trained.policy:
                    raise FloatingPointError("no number")
                return act(policy, *arguments, **options)  # type: ignore[arg-type]

            trained = next(one for one in service.policies._loaded.values() if one.name == "trained_agent.pt")
            monkeypatch.setattr(Policy, "act", failing)
            unlucky.say("step")
            await unlucky.ended.wait()
            assert unlucky.code == 1011
            assert (await other.step()).step == 1
            assert free_slots(service.engine) == 3
            assert service.statistics().failed_sessions == 1
    log = "".join(capsys.readouterr())
    assert unlucky.connected.session_id in log
    assert "no number" in log


async def test_a_failed_batch_ends_those_sessions_and_later_ones_work(
    service: InferenceService, monkeypatch: pytest.MonkeyPatch
) -> None:
    with real_time_limit():
        with monkeypatch.context() as patch:
            patch.setattr(BatchExecutor, "execute", lambda *_: 1 / 0)
            async with connected(service) as client:
                await client.ended.wait()
                assert client.code == 1011
        async with greeted(service) as client:
            assert free_slots(service.engine) == 3


async def test_an_engine_that_fails_is_started_again(
    service: InferenceService, mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with real_time_limit():
        async with greeted(service) as bystander:
            with monkeypatch.context() as patch:
                patch.setattr(PolicyEngine, "_execute", lambda *_: 1 / 0)
                async with connected(service) as client:
                    await client.ended.wait()
                    assert client.code == 1011
            await advance(mock_clock, 1)
            assert service.statistics().engine_restarts == 1
            assert (await bystander.step()).step == 1


async def test_a_service_that_cannot_be_prepared_tries_again(
    models: Path, mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = InferenceService(Settings(max_sessions=1), ModelFolder(models))
    with real_time_limit():
        async with connected(service) as client, trio.open_nursery() as nursery:
            with monkeypatch.context() as patch:
                patch.setattr(Policy, "untrained", lambda *_, **__: 1 / 0)
                nursery.start_soon(service.run)
                while service.statistics().engine_restarts == 0:
                    await trio.lowlevel.checkpoint()
                assert not service.ready.is_set()
            await advance(mock_clock, 1)
            await client.greeting()
            nursery.cancel_scope.cancel()
