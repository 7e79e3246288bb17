"""A player on the class leaderboard, as clients see it."""

from typing import Annotated

from msgspec import Meta, Struct

Animal = Annotated[str, Meta(description="animal that the server gave to the player, such as `fox`")]
Colour = Annotated[str, Meta(description="colour of that animal, such as `blue`")]


class ClassPlayer(Struct, frozen=True):
    """One player of the class: an animal and a colour, and nothing of the person."""

    animal: Animal
    colour: Colour
    steps: Annotated[int, Meta(description="steps of the longest life, 0 before the first")]
    total_reward: Annotated[float, Meta(description="return of that life")]
    lives: Annotated[int, Meta(description="lives led to their end")]
