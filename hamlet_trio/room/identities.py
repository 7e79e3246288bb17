"""Who is who in the rooms: the number, the animal and the colour of each member."""

import random
from collections import OrderedDict
from typing import Final, NamedTuple, get_args

from hamlet_trio.protocol.room_messages import Animal, Colour

MAX_REMEMBERED: Final = 200
"""Members that have left and can come back as who they were; beyond that the first to leave are forgotten."""

Look = tuple[Animal, Colour]


class Identity(NamedTuple):
    """Represent what makes a member known to others, and its strokes its own."""

    number: int
    animal: Animal
    colour: Colour


class Identities:
    """Give members identities that differ, and give one that comes back its own again.

    Whoever comes back shows so by the `voter` that it joined with, a random text that nobody else is told.
    """

    def __init__(self, lots: random.Random) -> None:
        self._lots = lots
        self._present: dict[int, Look] = {}
        self._left: OrderedDict[str, Identity] = OrderedDict()

    def new(self, number: int) -> Identity:
        """Return the identity of a new member, which is present from now on."""
        return self.enter(Identity(number, *self._free_look()))

    def enter(self, identity: Identity) -> Identity:
        """Note that a member of this identity is present; return it."""
        self._present[identity.number] = identity.animal, identity.colour
        return identity

    def leave(self, number: int) -> None:
        """Note that a member is not present any more, if it was."""
        self._present.pop(number, None)

    def remember(self, identity: Identity, voter: str) -> None:
        """Note that a member which has left may come back."""
        self._left.pop(voter, None)
        self._left[voter] = identity
        if len(self._left) > MAX_REMEMBERED:
            self._left.popitem(last=False)

    def come_back(self, voter: str) -> Identity | None:
        """Return the identity of the member that left with this `voter`, which is present again, if any.

        It has another look if somebody took its own meanwhile.
        """
        left = self._left.pop(voter, None)
        if left is None:
            return None
        is_free = left[1:] not in self._present.values()
        return self.enter(left) if is_free else self.new(left.number)

    def clear(self) -> None:
        """Forget everybody."""
        self._present.clear()
        self._left.clear()

    def _free_look(self) -> Look:
        """Return an animal and a colour that nobody has: animals differ first, then colours.

        Where members are more than such pairs, two may look alike.
        """
        taken = set(self._present.values())
        animals: list[Animal] = list(get_args(Animal))
        colours: list[Colour] = list(get_args(Colour))
        used = [animal for animal, _ in taken]
        least = min(used.count(animal) for animal in animals)
        free = [
            (animal, colour)
            for animal in animals
            if used.count(animal) == least
            for colour in colours
            if (animal, colour) not in taken
        ]
        return self._lots.choice(free or [(self._lots.choice(animals), self._lots.choice(colours))])
