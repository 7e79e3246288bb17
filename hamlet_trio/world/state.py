"""One world's state as plain values, for saving a run and resuming it bit for bit."""

from typing import Any

import msgspec
import numpy as np


class RandomState(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The state of a PCG64 generator; its 128-bit numbers are hexadecimal text, fit for every format."""

    state: str
    increment: str
    has_uint32: int
    uinteger: int

    @classmethod
    def of(cls, generator: np.random.Generator) -> "RandomState":
        """Return the present state of a generator over PCG64."""
        values: dict[str, Any] = dict(generator.bit_generator.state)
        inner = values["state"]
        return cls(
            f"{inner['state']:x}", f"{inner['inc']:x}", int(values["has_uint32"]), int(values["uinteger"])
        )

    def generator(self) -> np.random.Generator:
        """Return a generator that continues from this state.

        Raises:
            ValueError: when the texts are not hexadecimal numbers of 128 bits.
        """
        state, increment = int(self.state, 16), int(self.increment, 16)
        if not (0 <= state < 2**128 and 0 <= increment < 2**128):
            raise ValueError("a random state's numbers have 128 bits")
        bits = np.random.PCG64(0)
        bits.state = {
            "bit_generator": "PCG64",
            "state": {"state": state, "inc": increment},
            "has_uint32": self.has_uint32,
            "uinteger": self.uinteger,
        }
        return np.random.Generator(bits)


class WorldState(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that changes in one world of A agents; converts to JSON and back without loss.

    Attributes:
        positions: A cells (x, y).
        meters: A times six raw values, in the order of METERS.
        failures: A codes in FAILURE_REASONS; 0 for an agent that is alive.
        steps: steps taken in the episode.
        random: the world's own random numbers.
    """

    positions: tuple[tuple[int, int], ...]
    meters: tuple[tuple[float, float, float, float, float, float], ...]
    failures: tuple[int, ...]
    steps: int
    random: RandomState
