"""What tests of more than one part share."""

import logging
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import HealthCheck, settings

# A slow machine is no fault of the code under test.
settings.register_profile("any_machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any_machine")


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
