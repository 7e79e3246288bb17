"""The typed configuration of a world; every number of the rules is a default here.

All of it is frozen, compares by value and converts to and from JSON with msgspec, so that a checkpoint can
carry the world that it was trained in. A value that is not allowed raises `ConfigError`, which msgspec turns
into its ValidationError, with the same sentence, when the configuration comes out of a file.
"""

from collections.abc import Sequence
from typing import Annotated, Final, Literal, get_args

import msgspec

from hamlet_trio.common.sizes import SHORTEST_SIDE
from hamlet_trio.world.checks import (
    Amount,
    ConfigError,
    PositiveShare,
    Quantity,
    Share,
    check_fields,
    check_integer,
    check_name,
    check_number,
    within,
)
from hamlet_trio.world.reward_config import ShapedReward, SurvivalReward

ACTIONS: Final = ("up", "down", "left", "right", "interact")
"""The actions by number."""

INTERACT: Final = 4

METERS: Final = ("energy", "hygiene", "satiation", "money", "mood", "social")
"""The meters, in the order of every array's last axis and of the observation."""

FAILURE_REASONS: Final = (
    None,
    "energy_depleted",
    "hygiene_depleted",
    "satiation_depleted",
    "mood_depleted",
    "bankrupt",
)
"""Why an agent ended, by the code in `Worlds.failure`; the order is also the order of the checks."""

FATAL_METERS: Final = ("energy", "hygiene", "satiation", "mood", "money")
"""The meter behind each failure reason from code 1 on."""

RewardName = Literal["shaped", "survival"]

PLACE_TYPES: Final = {
    1: "Bed",
    2: "Shower",
    3: "HomeMeal",
    4: "FastFood",
    5: "Job",
    6: "Recreation",
    7: "Bar",
    8: "Gym",
}
"""The types of affordances that the wire and the page know, by the code of the usual world's affordance."""

PlaceType = Literal["Bed", "Shower", "HomeMeal", "FastFood", "Job", "Recreation", "Bar", "Gym"]

Side = Annotated[int, within(SHORTEST_SIDE, 128)]
# The size of the grid limits it above.
Coordinate = Annotated[int, within(0, None)]


class Effects(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A change of each meter, in the meters' own units."""

    energy: Quantity = 0.0
    hygiene: Quantity = 0.0
    satiation: Quantity = 0.0
    money: Quantity = 0.0
    mood: Quantity = 0.0
    social: Quantity = 0.0

    def in_order(self) -> list[float]:
        """Return the six changes in the order of METERS."""
        return [self.energy, self.hygiene, self.satiation, self.money, self.mood, self.social]


class Meter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One meter.

    Attributes:
        name: one of METERS.
        drain: what it loses at each step.
        start, minimum, maximum: in the meter's own units.
        place: the affordance that the shaped reward's proximity term leads to when this meter is critical;
            None when there is none.
        random_low, random_high: with random starts the normalised meter is uniform between these.
    """

    name: str
    drain: Amount
    start: Quantity = 100.0
    minimum: Quantity = 0.0
    maximum: Quantity = 100.0
    place: str | None = None
    random_low: Share = 0.2
    random_high: Share = 1.0

    def __post_init__(self) -> None:
        if self.name not in METERS:
            raise ConfigError("meters.name", self.name, ", ".join(METERS))
        path = f"meters.{self.name}"
        check_fields(self, path)
        check_number(f"{path}.maximum", self.maximum, self.minimum, above_low=True)
        # A fatal meter that starts empty would end every episode at its first step.
        fatal = self.name in FATAL_METERS
        check_number(f"{path}.start", self.start, self.minimum, self.maximum, above_low=fatal)
        check_number(f"{path}.random_low", self.random_low, 0, 1, above_low=fatal)
        check_number(f"{path}.random_high", self.random_high, self.random_low, 1)
        if self.place is not None:
            check_name(f"{path}.place", self.place)


class Affordance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something that an agent on its cell can use.

    Attributes:
        name: what the page and the wire call it.
        x, y: its cell.
        code: its value in the observation's grid, 1 to 8.
        effects: what one use does; a negative money effect is a price, and who has less money is refused.
        tired_money: the money effect instead, for an agent with energy or hygiene normalised below
            `WorldConfig.tired_below`; None when that makes no difference. Not for an affordance with a price.
        rewarded: the effects that the shaped reward counts, of which only positive ones matter; None for
            `effects`.
        type: which of the eight known types it is shown as; left out, `name` if that is one of them, else
            that of `code`. It changes no rule.
    """

    name: str
    x: Coordinate
    y: Coordinate
    code: Annotated[int, within(1, len(PLACE_TYPES))]
    effects: Effects
    tired_money: Amount | None = None
    rewarded: Effects | None = None
    # Absent by default, so that files of worlds without it stay as they were.
    type: PlaceType | msgspec.UnsetType = msgspec.UNSET

    @property
    def shown_type(self) -> PlaceType:
        """Return the type as which it is shown."""
        if self.type is not msgspec.UNSET:
            return self.type
        return self.name if self.name in get_args(PlaceType) else PLACE_TYPES[self.code]  # type: ignore[return-value]

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        # Without an absent type, because pickle looks for the name of UNSET in every module that is imported,
        # and gives up at one whose `__getattr__` raises an ImportError, as SuperSuit's does.
        fields = msgspec.structs.astuple(self)
        return Affordance, fields[:-1] if self.type is msgspec.UNSET else fields

    def __post_init__(self) -> None:
        check_name("affordances.name", self.name)
        path = f"affordances.{self.name}"
        check_fields(self, path)
        check_fields(self.effects, f"{path}.effects")
        if self.rewarded is not None:
            check_fields(self.rewarded, f"{path}.rewarded")
        if self.type is not msgspec.UNSET and self.type not in get_args(PlaceType):
            raise ConfigError(f"{path}.type", self.type, f"one of {', '.join(get_args(PlaceType))}")
        if self.tired_money is not None and self.effects.money < 0:
            raise ConfigError(
                f"{path}.tired_money", self.tired_money, "nothing where effects.money is a price"
            )


DEFAULT_METERS: Final = (
    Meter("energy", drain=0.5, place="Bed"),
    Meter("hygiene", drain=0.3, place="Shower"),
    Meter("satiation", drain=0.4, place="HomeMeal"),
    Meter("money", drain=0.0, start=50.0, minimum=-100.0, place="Job", random_low=0.5),
    Meter("mood", drain=0.1, place="Gym"),
    Meter("social", drain=0.6, start=50.0, place="Bar"),
)

DEFAULT_AFFORDANCES: Final = (
    Affordance("Bed", 1, 1, 1, Effects(money=-5, energy=50, hygiene=5)),
    Affordance("Shower", 2, 2, 2, Effects(money=-3, hygiene=40, energy=-3)),
    Affordance("HomeMeal", 1, 3, 3, Effects(money=-3, satiation=45, energy=35)),
    Affordance("FastFood", 5, 6, 4, Effects(money=-10, satiation=45, energy=15, social=1)),
    Affordance(
        "Job",
        6,
        6,
        5,
        Effects(money=30, energy=-15, hygiene=-10, mood=-25, social=0.05),
        tired_money=15,
        rewarded=Effects(money=30, social=1.5),
    ),
    Affordance("Gym", 7, 3, 8, Effects(money=-6, energy=-8, mood=45, social=2)),
    Affordance("Bar", 7, 0, 7, Effects(money=-15, energy=-20, hygiene=-15, social=50, satiation=30, mood=25)),
    Affordance("Recreation", 0, 7, 6, Effects(money=-6, mood=25, energy=12)),
)


class WorldConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that makes a world; the defaults are the reference rules.

    Attributes:
        width, height: cells, 2 to 128 each; x runs to the right, y downward, both from 0. A world from a
            file or a command has at most 32, and 8 agents.
        start: (x, y) of agent_0; the next agents stand on the cells spiralling out from it.
        num_agents: agents in a world, at most one for each cell.
        contention: whether an affordance serves one agent a step only, the lowest index first.
        max_steps: steps after which an episode is truncated.
        meters: the six, in the order of METERS.
        affordances: at most 8, each with a cell, a name and a code of its own.
        move: what a move changes, also a blocked one.
        failed_interact: what an `interact` changes that found nothing, was refused or came too late.
        tired_below: normalised energy or hygiene below which `Affordance.tired_money` applies.
        loneliness_below: normalised social below which mood suffers.
        loneliness_mood: mood lost a step at social 0, falling linearly to 0 at `loneliness_below`.
        end_penalty: what an end takes from the reward.
        meals: the affordances to the nearest of which the shaped reward's hunger term measures; none, no
            such term.
        reward: which of the two rewards a step gives; `shaped` and `survival` hold their numbers.

    Raises:
        ConfigError: for a field that is not allowed.
    """

    width: Side = 8
    height: Side = 8
    start: tuple[int, int] = (4, 4)
    num_agents: Annotated[int, within(1, None)] = 1
    contention: bool = False
    max_steps: Annotated[int, within(1, 10**9)] = 500
    meters: tuple[Meter, ...] = DEFAULT_METERS
    affordances: tuple[Affordance, ...] = DEFAULT_AFFORDANCES
    move: Effects = Effects(energy=-0.5, hygiene=-0.3, satiation=-0.4)
    failed_interact: Effects = Effects(energy=-1.0)
    tired_below: Share = 0.4
    loneliness_below: PositiveShare = 0.3
    loneliness_mood: Amount = 5.0
    end_penalty: Amount = 100.0
    meals: tuple[str, ...] = ("HomeMeal", "FastFood")
    reward: RewardName = "shaped"
    shaped: ShapedReward = ShapedReward()
    survival: SurvivalReward = SurvivalReward()

    @property
    def observation_size(self) -> int:
        """Values in one agent's observation: 2 + 6 + width * height."""
        return 2 + len(METERS) + self.width * self.height

    def __post_init__(self) -> None:
        check_fields(self)
        # msgspec checks a tuple's length when it reads a file, but not in a call.
        if len(self.start) != 2:
            raise ConfigError("start", self.start, "a cell (x, y)")
        check_integer("start.x", self.start[0], 0, self.width - 1)
        check_integer("start.y", self.start[1], 0, self.height - 1)
        check_integer("num_agents", self.num_agents, 1, self.width * self.height)
        if not isinstance(self.contention, bool):
            raise ConfigError("contention", self.contention, "true or false")
        if tuple(meter.name for meter in self.meters) != METERS:
            given = [meter.name for meter in self.meters]
            raise ConfigError("meters", given, f"one each, in this order: {', '.join(METERS)}")
        _check_affordances(self)
        check_fields(self.move, "move")
        check_fields(self.failed_interact, "failed_interact")
        if self.reward not in ("shaped", "survival"):
            raise ConfigError("reward", self.reward, "shaped, survival")


def _check_affordances(config: WorldConfig) -> None:
    for affordance in config.affordances:
        path = f"affordances.{affordance.name}"
        check_integer(f"{path}.x", affordance.x, 0, config.width - 1)
        check_integer(f"{path}.y", affordance.y, 0, config.height - 1)
    names = [affordance.name for affordance in config.affordances]
    _check_distinct(config.affordances)
    for meter in config.meters:
        if meter.place is not None and meter.place not in names:
            allowed = f"null or an affordance of this world: {', '.join(names)}"
            raise ConfigError(f"meters.{meter.name}.place", meter.place, allowed)
    for meal in config.meals:
        if meal not in names:
            raise ConfigError("meals", meal, f"affordances of this world: {', '.join(names)}")


def _check_distinct(affordances: Sequence[Affordance]) -> None:
    """Raise ConfigError where two affordances share a name, a code or a cell."""
    for index, one in enumerate(affordances):
        path = f"affordances.{one.name}"
        for other in affordances[:index]:
            if one.name == other.name:
                raise ConfigError(f"{path}.name", one.name, "a name that no other affordance has")
            if one.code == other.code:
                raise ConfigError(f"{path}.code", one.code, f"another code than that of {other.name}")
            if (one.x, one.y) == (other.x, other.y):
                rule = f"another column than that of {other.name}, or `{path}.y` another row"
                raise ConfigError(f"{path}.x", one.x, rule)


def config_or_usual(config: WorldConfig | None) -> WorldConfig:
    """Return a configuration, that of the usual world for None; raise TypeError for anything else."""
    if config is None:
        return WorldConfig()
    if not isinstance(config, WorldConfig):
        raise TypeError(
            f"config is {config!r}; allowed: a WorldConfig or None; "
            "WorldLibrary finds worlds by name, load_world reads a file"
        )
    return config
