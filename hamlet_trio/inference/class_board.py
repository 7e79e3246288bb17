"""The class leaderboard: lives that people led, counted by the server under names that it gives out."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from hamlet_trio.protocol.class_player import ClassPlayer

ANIMALS: Final = (
    *("fox", "owl", "bear", "otter", "hare", "seal", "wolf", "crane", "mole", "lynx"),
    *("beaver", "frog", "heron", "badger", "deer", "goose", "hedgehog", "whale", "robin", "turtle"),
    *("squirrel", "swan", "mouse", "dolphin", "stork", "bee", "newt", "elk", "raven", "penguin"),
)
COLOURS: Final = ("red", "orange", "yellow", "green", "blue", "violet", "brown", "grey")
CAPACITY: Final = len(ANIMALS) * len(COLOURS)
"""The most players on the board: each animal in each colour."""


class _PlayerRecord:
    """What is known of a player; `sessions` counts the connections that have it at the moment."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.sessions = 0
        self.forget_lives()

    def forget_lives(self) -> None:
        self.best = (0, 0.0)
        self.lives = 0

    @property
    def player(self) -> ClassPlayer:
        animal = self.number % len(ANIMALS)
        # Neighbours differ in both, and each pair comes once.
        colour = (self.number + self.number // len(ANIMALS)) % len(COLOURS)
        return ClassPlayer(ANIMALS[animal], COLOURS[colour], *self.best, self.lives)


class ClassBoard:
    """Hold the players of one instance and their best lives, in memory alone.

    Bounds: `CAPACITY` players. With more, the one with the shortest best life gives its place, the one who
    is away before the one who is here, and of equals the one who came first.
    """

    def __init__(self) -> None:
        self._entries: dict[str, _PlayerRecord] = {}  # by the session's name, in the order in which they came

    @contextmanager
    def seat(self) -> Iterator["ClassSeat"]:
        """Return the seat of one session, which leaves the class with it."""
        seat = ClassSeat(self)
        try:
            yield seat
        finally:
            seat.leave()

    @property
    def here(self) -> int:
        """The number of players who are here now."""
        return sum(entry.sessions > 0 for entry in self._entries.values())

    def standings(self) -> list[ClassPlayer]:
        """Return all players, the longest life first, of equals the greater return."""
        ranked = sorted(self._entries.values(), key=lambda entry: entry.best, reverse=True)
        return [entry.player for entry in ranked]

    def restart(self) -> None:
        """Forget all lives, and the players who are away."""
        self._entries = {name: entry for name, entry in self._entries.items() if entry.sessions > 0}
        for entry in self._entries.values():
            entry.forget_lives()

    def entry(self, name: str) -> _PlayerRecord:
        """Return the session's player, a new one if it has none."""
        if name not in self._entries:
            if len(self._entries) >= CAPACITY:
                entries = self._entries
                del entries[min(entries, key=lambda one: (entries[one].sessions > 0, entries[one].best))]
            taken = {entry.number for entry in self._entries.values()}
            self._entries[name] = _PlayerRecord(
                next(number for number in range(CAPACITY) if number not in taken)
            )
        return self._entries[name]


class ClassSeat:
    """One session's part in the class."""

    def __init__(self, board: ClassBoard) -> None:
        self._board = board
        self._entry: _PlayerRecord | None = None

    def join(self, name: str) -> ClassPlayer:
        """Return the player of the session of this name, which is a new one if it had none."""
        if self._entry is None:
            self._entry = self._board.entry(name)
            self._entry.sessions += 1
        return self._entry.player

    def count(self, steps: int, total_reward: float) -> None:
        """Count a life that a person led to its end, if the session has joined the class."""
        if self._entry is not None:
            self._entry.lives += 1
            self._entry.best = max(self._entry.best, (steps, total_reward))

    def leave(self) -> None:
        """Leave the class; what was counted stays."""
        if self._entry is not None:
            self._entry.sessions -= 1
            self._entry = None
