"""What a test needs of the machine that need not be there."""

import os
from typing import NoReturn

import pytest


def left_out(what: str) -> NoReturn:
    """Skip the test because something is missing; fail it where everything must be there."""
    if os.environ.get("HAMLET_REQUIRE_ALL") == "1":
        pytest.fail(what)
    pytest.skip(what)
