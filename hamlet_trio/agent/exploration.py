"""Exploration: random actions, or whole options (a walk to a place and its use)."""

from typing import Any, Final, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from hamlet_trio.world import ACTIONS, INTERACT, METERS, RandomState

_SCALARS: Final = 2 + len(METERS)
_PLACES: Final = 8  # codes of affordances in an observation's grid are 1 to 8
_MEAN_DURATION: Final = 6.5  # steps of an option in the default world, its last step included

Explored = tuple[NDArray[np.bool_], NDArray[np.int64]]


class Exploration(Protocol):
    """Decide which rows of a batch explore, and with which action; a row is one stream of steps."""

    def begin(self, rows: int) -> None:
        """Start with `rows` rows; the next `draw` is the first of an episode in each."""
        ...

    def restart(self, row: int) -> None:
        """Begin an episode in this row with the next `draw`."""
        ...

    def draw(self, observations: NDArray[np.float32], epsilon: float) -> Explored:
        """Return which rows explore, bool [n], and their exploratory actions, int64 [n]."""
        ...

    def record(self, observations: NDArray[np.float32], actions: NDArray[np.int64]) -> None:
        """Take note of the actions taken, exploratory or not."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return everything that changes, as plain values."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue exactly from a `state_dict`."""
        ...


class EpsilonGreedy:
    """A uniformly random action with probability epsilon; Sutton and Barto 2018, section 2.2.

    A call draws equally many random numbers for every epsilon, so that the sequence depends on the seed and
    the number of rows alone.
    """

    def __init__(self, seed: int | np.random.SeedSequence) -> None:
        self._generator = np.random.Generator(np.random.PCG64(seed))

    def begin(self, rows: int) -> None:
        """Do nothing: this exploration has no state per row."""

    def restart(self, row: int) -> None:
        """Do nothing: this exploration has no state per episode."""

    def draw(self, observations: NDArray[np.float32], epsilon: float) -> Explored:
        """Return which rows explore, bool [n], and a random action for every row, int64 [n]."""
        rows = len(observations)
        explores = self._generator.random(rows) < epsilon
        return explores, self._generator.integers(len(ACTIONS), size=rows)

    def record(self, observations: NDArray[np.float32], actions: NDArray[np.int64]) -> None:
        """Do nothing: past actions do not change what is explored."""

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the generator as plain values."""
        state: dict[str, Any] = msgspec.to_builtins(RandomState.of(self._generator))
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue exactly from a `state_dict`."""
        self._generator = msgspec.convert(state, RandomState).generator()


class _Row(msgspec.Struct):
    """One stream's episode: the cell of each place, the uses of each, and the place of the current option."""

    places: dict[int, tuple[int, int]] = {}
    uses: dict[int, int] = {}
    option: int | None = None


class OptionExploration:
    """Exploration with options: walk to a place and use it.

    Single random actions hardly ever reach the far corners and choose the one right action there; whole
    options do (temporally-extended epsilon-greedy; Dabney, Ostrovski and Barreto 2020, section 4). The next
    option leads to one of the places used least in the episode so far, by a random shortest path. Between
    options the greedy policy acts. `epsilon` is the share of steps spent in options.

    Places are read off the observation, as by the network. The agent hides the place that it stands on, so
    the places seen before in the episode are remembered.
    """

    def __init__(self, seed: int | np.random.SeedSequence, width: int, height: int) -> None:
        self._generator = np.random.Generator(np.random.PCG64(seed))
        self._width, self._height = width, height
        self._rows: list[_Row] = []

    def begin(self, rows: int) -> None:
        """Start with `rows` rows, each at the start of an episode."""
        self._rows = [_Row(places={}, uses={}) for _ in range(rows)]

    def restart(self, row: int) -> None:
        """Forget the places, uses and option of this row's last episode."""
        self._rows[row] = _Row(places={}, uses={})

    def draw(self, observations: NDArray[np.float32], epsilon: float) -> Explored:
        """Return which rows carry out an option, bool [n], and its next action, int64 [n]."""
        # The chance of starting an option with which options of that mean duration fill a share of epsilon.
        chance = epsilon / (_MEAN_DURATION - epsilon * (_MEAN_DURATION - 1))
        explores = np.zeros(len(observations), dtype=np.bool_)
        actions = np.zeros(len(observations), dtype=np.int64)
        for index, (row, observation) in enumerate(zip(self._rows, observations, strict=True)):
            grid = observation[_SCALARS:]
            for cell in np.flatnonzero((grid > 0.5) & (grid < _PLACES + 0.5)).tolist():
                row.places[round(float(grid[cell]))] = (cell % self._width, cell // self._width)
            if row.option is None and row.places and self._generator.random() < chance:
                row.option = self._choose(row)
            if row.option is not None:
                explores[index] = True
                actions[index] = self._next_action(row, self._cell(observation))
        return explores, actions

    def record(self, observations: NDArray[np.float32], actions: NDArray[np.int64]) -> None:
        """Count the uses of places."""
        for row, observation, action in zip(self._rows, observations, actions, strict=True):
            if action == INTERACT:
                cell = self._cell(observation)
                for place, where in row.places.items():
                    if where == cell:
                        row.uses[place] = row.uses.get(place, 0) + 1

    def _cell(self, observation: NDArray[np.float32]) -> tuple[int, int]:
        x, y = observation[:2].tolist()
        return round(x * (self._width - 1)), round(y * (self._height - 1))

    def _choose(self, row: _Row) -> int:
        fewest = min(row.uses.get(place, 0) for place in row.places)
        candidates = [place for place in sorted(row.places) if row.uses.get(place, 0) == fewest]
        return candidates[int(self._generator.integers(len(candidates)))]

    def _next_action(self, row: _Row, here: tuple[int, int]) -> int:
        assert row.option is not None
        there = row.places[row.option]
        dx, dy = there[0] - here[0], there[1] - here[1]
        if dx == 0 and dy == 0:
            row.option = None
            return INTERACT
        if self._generator.random() * (abs(dx) + abs(dy)) < abs(dx):
            return ACTIONS.index("right") if dx > 0 else ACTIONS.index("left")
        return ACTIONS.index("down") if dy > 0 else ACTIONS.index("up")

    def state_dict(self) -> dict[str, Any]:
        """Return the generator and the current episodes as plain values."""
        rows = [
            {"places": list(row.places.items()), "uses": list(row.uses.items()), "option": row.option}
            for row in self._rows
        ]
        return {"generator": msgspec.to_builtins(RandomState.of(self._generator)), "rows": rows}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue exactly from a `state_dict`."""
        self._generator = msgspec.convert(state["generator"], RandomState).generator()
        self._rows = [
            _Row(
                places={place: (cell[0], cell[1]) for place, cell in row["places"]},
                uses=dict(row["uses"]),
                # Runs that an older version saved say "errand".
                option=row["option"] if "option" in row else row["errand"],
            )
            for row in state["rows"]
        ]
