"""Tests of the world run with both ways of stepping."""

import os
from collections.abc import Iterator

import pytest

from hamlet_trio.world import kernel


@pytest.fixture(scope="session")
def compiled() -> kernel.Kernel:
    """The compiled kernel; where it is not built, what needs it is left out, or fails in CI."""
    found = kernel.load()
    if found is None:
        if os.environ.get("HAMLET_REQUIRE_ALL") == "1":
            pytest.fail(f"the world's kernel is not compiled: {kernel.REMEDY}")
        pytest.skip(f"the world's kernel is not compiled: {kernel.REMEDY}")
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
