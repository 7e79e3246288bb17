"""The compiled kernel as Python sees it: loading it, and the struct that its functions work on."""

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hamlet_trio.world.config import METERS

_COUNT, _NUMBER, _ADDRESS = ctypes.c_int64, ctypes.c_double, ctypes.c_void_p
_INDICES, _NUMBERS = ctypes.c_int64 * len(METERS), ctypes.c_double * len(METERS)

DONE: Final = 0
"""The return value of a kernel function that succeeded; after any other, nothing has changed."""


REMEDY: Final = "with a C compiler on PATH, python -m hamlet_trio.world.kernel_build makes it"


class KernelMissingError(RuntimeError):
    """The compiled kernel was requested but is missing."""


class Layout(ctypes.Structure):
    """The kernel's struct of the same name, field by field; kernel.c says what each one is."""

    _fields_ = [
        *((name, _COUNT) for name in ("num_worlds", "num_agents", "num_cells", "max_steps")),
        *((name, _COUNT) for name in ("contention", "has_tired", "shaped")),
        ("critical_order", _INDICES),
        ("fatal_rows", ctypes.c_int64 * 5),
        *((name, _NUMBERS) for name in ("minimum", "maximum", "span", "drain", "fatal_minimum")),
        *((name, _NUMBER) for name in ("tired_below", "lonely_below", "lonely_mood", "end_penalty")),
        ("above", ctypes.c_double * (3 * len(METERS))),
        *((name, _NUMBER) for name in ("per_step", "hunger_below")),
        *((name, _NUMBERS) for name in ("need_scale", "critical_below")),
        *((name, _ADDRESS) for name in ("bands", "gain", "nearness", "hunger")),
        *((name, _ADDRESS) for name in ("next_cell", "kind", "effects", "price", "tired_kind", "affordance")),
        *((name, _ADDRESS) for name in ("cell_xy", "start_cells", "start_meters", "seen_xy", "seen_grid")),
        *((name, _ADDRESS) for name in ("cell", "positions", "meters", "normalised")),
        *((name, _ADDRESS) for name in ("alive", "failure", "steps", "over")),
        *((name, _ADDRESS) for name in ("chosen", "actions", "marked")),
        *((name, _ADDRESS) for name in ("rewards", "terminated", "truncated", "interacted", "components")),
    ]

    @classmethod
    def of(cls, values: dict[str, Any]) -> "Layout":
        """Build a struct with every field set: numbers and arrays of numbers by value, others by pointer.

        Arrays behind pointers have to be C-contiguous and must outlive the struct.
        """
        made = cls()
        assert values.keys() == {name for name, *_ in cls._fields_}
        for name, kind, *_ in cls._fields_:
            value: Any = values[name]
            if kind is _ADDRESS:
                assert value.flags.c_contiguous, name
                setattr(made, name, value.ctypes.data)
            elif isinstance(value, np.ndarray):
                getattr(made, name)[:] = value.ravel().tolist()
            else:
                setattr(made, name, value)
        return made


class Kernel(NamedTuple):
    """The kernel's functions; each takes a reference to a Layout first, and returns DONE or another number.

    Attributes:
        step: of all worlds, or of the first `count` in `chosen`: count, whether chosen, whether components.
        begin: episodes in those worlds: count, whether chosen.
        observe: what their agents see: count, whether chosen, a reference to where it is written.
    """

    step: Callable[..., int]
    begin: Callable[..., int]
    observe: Callable[..., int]


@cache
def load() -> Kernel | None:
    """Load the kernel; return None where it is not compiled for this machine."""
    # Imported here, so that it can also be run as a program, and because it brings modules of its own.
    from hamlet_trio.world.kernel_build import library  # noqa: PLC0415

    path = library()
    if not path.is_file() or np.dtype(np.intp).itemsize != 8:
        return None
    # PyDLL keeps the interpreter's lock: to give it up and get it back, beside other threads, takes longer
    # than most steps do. Without argtypes, because to check arguments would take as long again.
    try:
        found = ctypes.PyDLL(str(path))
    except OSError:
        return None
    found.hamlet_size.restype = ctypes.c_int64
    assert found.hamlet_size() == ctypes.sizeof(Layout), "kernel.c and kernel.py differ"
    return Kernel(found.hamlet_step, found.hamlet_begin, found.hamlet_observe)


def reference(array: NDArray[np.float32]) -> Any:
    """Return a float32 array's memory as an argument of the kernel.

    Raises:
        TypeError: when the array is not C-contiguous, or cannot be written to.
    """
    buffer: Any = array
    return ctypes.byref(ctypes.c_float.from_buffer(buffer))
