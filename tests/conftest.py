"""What tests of more than one part share."""

import logging
import signal
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import pytest
import structlog
import trio
from hypothesis import HealthCheck, settings
from trio.abc import Clock, Instrument

# A slow machine is no fault of the code under test.
settings.register_profile("any_machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any_machine")

# Parts whose tests start servers, trainers and browsers, and take longest.
SLOWEST_FIRST: Final = ("e2e_page", "e2e", "training", "cli", "docs", "bench", "exchange", "deploy", "web")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the slowest parts, so that no worker is left with a slow file at the end."""
    places = {part: place for place, part in enumerate(SLOWEST_FIRST)}
    here = Path(__file__).parent
    items.sort(key=lambda item: places.get(item.path.relative_to(here).parts[0], len(places)))


@pytest.fixture(scope="session", autouse=True)
def signals_reach_children() -> None:
    """Have servers and commands start with SIGINT and SIGHUP at their defaults, whoever runs the tests.

    A shell without job control starts what it puts in the background with SIGINT ignored, nohup with SIGHUP,
    and children inherit that; a handler of ours is reset to the default when a child begins.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda _number, _frame: None)


@pytest.fixture
def root_logger() -> Iterator[logging.Logger]:
    """The root logger; it and structlog's configuration are left as they were."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    configuration = structlog.get_config()
    yield root
    structlog.configure(**configuration)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture(autouse=True)
def clock_of_fixtures(request: pytest.FixtureRequest) -> None:
    """Run a test on the virtual clock that one of its fixtures asks for.

    pytest-trio takes a clock from the arguments of the test itself alone: a fixture that asked for one would
    hold a clock that nobody uses, while the test ran on the real one.
    """
    for name in {"mock_clock", "autojump_clock"} & set(request.fixturenames):
        clock = request.getfixturevalue(name)
        request.node.add_marker(pytest.mark.trio(run=partial(_run, of_fixture=clock)))


def _run(
    test: Callable[[], Awaitable[None]],
    *,
    clock: Clock | None,
    instruments: Sequence[Instrument],
    of_fixture: Clock,
) -> None:
    trio.run(test, clock=clock or of_fixture, instruments=instruments)
