"""What the tests of agents share: the reference checkpoints, where they are, and one thread for torch."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

GOLDEN_DIR = Path(
    os.environ.get("HAMLET_GOLDEN_DIR") or Path(__file__).parents[2].parent / "shared" / "golden"
)


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Sums come out the same however many cores a machine has."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def golden_checkpoints() -> Path:
    """The folder of reference checkpoints and their Q-values."""
    if not GOLDEN_DIR.is_dir():
        pytest.skip("the reference data are not beside this checkout (../shared/golden)")
    return GOLDEN_DIR / "checkpoints"
