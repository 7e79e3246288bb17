"""What tests of recordings share."""

import pytest

from hamlet_trio.recording.file import Recording
from tests.recording.support import record


@pytest.fixture
def recording() -> Recording:
    """A whole episode of random actions."""
    return record()
