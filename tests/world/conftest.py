"""Tests of the world run with both ways of stepping."""

from collections.abc import Iterator

import pytest

from hamlet_trio.world import kernel
from tests.needs import left_out


@pytest.fixture(scope="session")
def compiled() -> kernel.Kernel:
    """The compiled kernel; where it is not built, what needs it is left out, or fails in CI."""
    found = kernel.load()
    if found is None:
        left_out(f"the world's kernel is not compiled: {kernel.REMEDY}")
    return found


@pytest.fixture(params=["compiled", "numpy"], scope="module")
def each_way(request: pytest.FixtureRequest) -> Iterator[None]:
    """A module's tests once with the kernel, once as on a machine that has none."""
    if request.param == "compiled":
        request.getfixturevalue("compiled")
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernel, "load", lambda: None)
        yield
