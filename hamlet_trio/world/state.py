"""One world's state as plain values, for saving a run and resuming it bit for bit."""

from typing import Any

import msgspec
import numpy as np

from hamlet_trio.world.config import FAILURE_REASONS, WorldConfig


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

    def check(self, config: WorldConfig) -> None:
        """Raise `ValueError` unless a world of this configuration can be in this state."""
        agents = config.num_agents
        if not len(self.positions) == len(self.meters) == len(self.failures) == agents:
            raise ValueError(f"the state is not one of {agents} agents, as this world has")
        width, height = config.width, config.height
        if not all(0 <= x < width and 0 <= y < height for x, y in self.positions):
            raise ValueError(f"the state has a position outside of {width} x {height} cells")
        for values in self.meters:
            pairs = zip(config.meters, values, strict=True)
            if not all(meter.minimum <= value <= meter.maximum for meter, value in pairs):
                raise ValueError("the state has a meter outside of its minimum..maximum")
        if not all(0 <= code < len(FAILURE_REASONS) for code in self.failures):
            raise ValueError(f"the state has a failure code outside of 0..{len(FAILURE_REASONS) - 1}")
        if not 0 <= self.steps <= config.max_steps:
            raise ValueError(f"the state has {self.steps} steps; allowed: 0 to {config.max_steps}")
