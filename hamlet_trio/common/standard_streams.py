"""Open the standard streams that a process was started without."""

import os
import sys


def open_standard_streams() -> None:
    """Connect each closed standard stream to the null device.

    Otherwise the next file or socket that the process opens would get its number, and what is meant for a
    terminal would be written there.
    """
    for descriptor, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
            os.set_inheritable(descriptor, True)
        if getattr(sys, name) is None:
            setattr(sys, name, open(descriptor, mode, encoding="utf-8", errors="replace"))  # noqa: SIM115
