"""Exploring: random actions now and then, or whole errands."""

from typing import Any, Final, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from hamlet_trio.world import ACTIONS, INTERACT, METERS, RandomState

_SCALARS: Final = 2 + len(METERS)
_PLACES: Final = 8  # codes of affordances in an observation's grid are 1 to 8
_MEAN_ERRAND: Final = 6.5  # steps of an errand in the default world, the last one included

Explored = tuple[NDArray[np.bool_], NDArray[np.int64]]


class Exploration(Protocol):
    """Decides which rows of a batch explore, and how; a row is one stream of steps."""

    def begin(self, rows: int) -> None:
        """There are so many rows, and the next `draw` is the first of an episode in every one."""
        ...

    def restart(self, row: int) -> None:
        """The next `draw` is the first of an episode in this row."""
        ...

    def draw(self, observations: NDArray[np.float32], epsilon: float) -> Explored:
        """Which rows explore, bool [n], and what each would do then, int64 [n]."""
        ...

    def taken(self, observations: NDArray[np.float32], actions: NDArray[np.int64]) -> None:
        """What was done in the end, whether explored or not."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Everything that changes, as plain values."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on exactly from where `state_dict` was taken."""
        ...


class EpsilonGreedy:
    """With probability epsilon a uniformly random action, else the greedy one.

    Sutton and Barto 2018, section 2.2. A call draws as many random numbers for one epsilon as for another, so
    that the sequence drawn depends on the seed and the rows alone.
    """

    def __init__(self, seed: int | np.random.SeedSequence) -> None:
        self._generator = np.random.Generator(np.random.PCG64(seed))

    def begin(self, rows: int) -> None:
        """Rows are nothing to it."""

    def restart(self, row: int) -> None:
        """Episodes are nothing to it."""

    def draw(self, observations: NDArray[np.float32], epsilon: float) -> Explored:
        """Which rows explore, bool [n], and a random action for every row, int64 [n]."""
        rows = len(observations)
        explores = self._generator.random(rows) < epsilon
        return explores, self._generator.integers(len(ACTIONS), size=rows)

    def taken(self, observations: NDArray[np.float32], actions: NDArray[np.int64]) -> None:
        """What was done is nothing to it."""

    def state_dict(self) -> dict[str, Any]:
        """The state of the generator as plain values."""
        state: dict[str, Any] = msgspec.to_builtins(RandomState.of(self._generator))
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on exactly from where `state_dict` was taken."""
        self._generator = msgspec.convert(state, RandomState).generator()


class _Row(msgspec.Struct):
    """One stream's episode: where places are, how often each was used, and the errand under way."""

    places: dict[int, tuple[int, int]] = {}
    uses: dict[int, int] = {}
    errand: int | None = None


class OptionExploration:
    """Explores by errands: walk to a place and use it, rather than do single things at random.

    Random actions hardly ever lead to the far corners and, there, to the one right action. Exploring with
    whole options does (temporally-extended epsilon-greedy; Dabney, Ostrovski and Barreto 2020, section 4).
    The next errand leads to one of the places used least in the episode so far, by a random shortest way.
    Between errands the greedy policy acts. `epsilon` is the share of steps spent on errands.

    Where places are is read off the observation, as the network does; the agent hides what it stands on, so
    places seen before in the episode are remembered.
    """

    def __init__(self, seed: int | np.random.SeedSequence, width: int, height: int) -> None:
        self._generator = np.random.Generator(np.random.PCG64(seed))
        self._width, self._height = width, height
        self._rows: list[_Row] = []

    def begin(self, rows: int) -> None:
        """Forget all errands."""
        self._rows = [_Row(places={}, uses={}) for _ in range(rows)]

    def restart(self, row: int) -> None:
        """Forget the errands of this row's episode before."""
        self._rows[row] = _Row(places={}, uses={})

    def draw(self, observations: NDArray[np.float32], epsilon: float) -> Explored:
        """Which rows are on an errand, bool [n], and its next action, int64 [n]."""
        # The chance to set out that makes errands of that mean length fill a share of epsilon of the steps.
        chance = epsilon / (_MEAN_ERRAND - epsilon * (_MEAN_ERRAND - 1))
        explores = np.zeros(len(observations), dtype=np.bool_)
        actions = np.zeros(len(observations), dtype=np.int64)
        for index, (row, observation) in enumerate(zip(self._rows, observations, strict=True)):
            grid = observation[_SCALARS:]
            for cell in np.flatnonzero((grid > 0.5) & (grid < _PLACES + 0.5)).tolist():
                row.places[round(float(grid[cell]))] = (cell % self._width, cell // self._width)
            if row.errand is None and row.places and self._generator.random() < chance:
                row.errand = self._choose(row)
            if row.errand is not None:
                explores[index] = True
                actions[index] = self._next_action(row, self._cell(observation))
        return explores, actions

    def taken(self, observations: NDArray[np.float32], actions: NDArray[np.int64]) -> None:
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
        assert row.errand is not None
        there = row.places[row.errand]
        dx, dy = there[0] - here[0], there[1] - here[1]
        if dx == 0 and dy == 0:
            row.errand = None
            return INTERACT
        if self._generator.random() * (abs(dx) + abs(dy)) < abs(dx):
            return ACTIONS.index("right") if dx > 0 else ACTIONS.index("left")
        return ACTIONS.index("down") if dy > 0 else ACTIONS.index("up")

    def state_dict(self) -> dict[str, Any]:
        """The generator and the episodes under way as plain values."""
        rows = [
            {"places": list(row.places.items()), "uses": list(row.uses.items()), "errand": row.errand}
            for row in self._rows
        ]
        return {"generator": msgspec.to_builtins(RandomState.of(self._generator)), "rows": rows}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on exactly from where `state_dict` was taken."""
        self._generator = msgspec.convert(state["generator"], RandomState).generator()
        self._rows = [
            _Row(
                places={place: (cell[0], cell[1]) for place, cell in row["places"]},
                uses=dict(row["uses"]),
                errand=row["errand"],
            )
            for row in state["rows"]
        ]
