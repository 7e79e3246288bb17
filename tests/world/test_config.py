"""The configuration: defaults, JSON, and each thing that it refuses."""

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given, settings
from msgspec.structs import replace

from hamlet_trio.world import (
    DEFAULT_AFFORDANCES,
    DEFAULT_METERS,
    METERS,
    Affordance,
    Bands,
    ConfigError,
    Effects,
    Meter,
    ShapedReward,
    SurvivalReward,
    WorldConfig,
)
from tests.world.strategies import configs

BED = DEFAULT_AFFORDANCES[0]
JOB = DEFAULT_AFFORDANCES[4]


def test_the_defaults_are_those_of_the_rules() -> None:
    config = WorldConfig()
    assert config.observation_size == 72
    assert [meter.name for meter in config.meters] == list(METERS)
    assert [meter.drain for meter in config.meters] == [0.5, 0.3, 0.4, 0.0, 0.1, 0.6]
    assert [meter.start for meter in config.meters] == [100, 100, 100, 50, 100, 50]
    codes = {affordance.code: affordance.name for affordance in config.affordances}
    in_order = ["Bed", "Shower", "HomeMeal", "FastFood", "Job", "Recreation", "Bar", "Gym"]
    assert [codes[code] for code in range(1, 9)] == in_order


@settings(max_examples=50, deadline=None)
@given(config=configs())
def test_any_configuration_survives_json(config: WorldConfig) -> None:
    again = msgspec.json.decode(msgspec.json.encode(config), type=WorldConfig)
    assert again == config
    assert hash(again) == hash(config)


def with_meter(name: str, **changes: object) -> tuple[Meter, ...]:
    return tuple(replace(meter, **changes) if meter.name == name else meter for meter in DEFAULT_METERS)


REFUSED: list[tuple[str, Callable[[], object]]] = [
    ("width", lambda: WorldConfig(width=1)),
    ("width", lambda: WorldConfig(width=129)),
    ("height", lambda: WorldConfig(height=8.0)),  # type: ignore[arg-type]
    ("height", lambda: WorldConfig(height=True)),
    ("height", lambda: WorldConfig(height=None)),  # type: ignore[arg-type]
    ("end_penalty", lambda: WorldConfig(end_penalty=(1, 2))),  # type: ignore[arg-type]
    ("meters.energy.drain", lambda: Meter("energy", drain=None)),  # type: ignore[arg-type]
    ("start.x", lambda: WorldConfig(start=(8, 0))),
    ("start.y", lambda: WorldConfig(start=(0, -1))),
    ("start", lambda: WorldConfig(start=(1, 2, 3))),  # type: ignore[arg-type]
    ("num_agents", lambda: WorldConfig(num_agents=0)),
    ("num_agents", lambda: WorldConfig(num_agents=65)),
    ("contention", lambda: WorldConfig(contention=1)),  # type: ignore[arg-type]
    ("max_steps", lambda: WorldConfig(max_steps=0)),
    ("meters", lambda: WorldConfig(meters=DEFAULT_METERS[:5])),
    ("meters", lambda: WorldConfig(meters=DEFAULT_METERS[::-1])),
    ("meters.name", lambda: Meter("joy", drain=0)),
    ("meters.energy.drain", lambda: Meter("energy", drain=-0.1)),
    ("meters.energy.drain", lambda: Meter("energy", drain=float("nan"))),
    ("meters.energy.drain", lambda: Meter("energy", drain="1")),  # type: ignore[arg-type]
    ("meters.energy.minimum", lambda: Meter("energy", drain=0, minimum=float("-inf"))),
    ("meters.energy.maximum", lambda: Meter("energy", drain=0, start=0, maximum=0)),
    ("meters.energy.start", lambda: Meter("energy", drain=0, start=101)),
    ("meters.energy.start", lambda: Meter("energy", drain=0, start=0)),
    ("meters.energy.random_low", lambda: Meter("energy", drain=0, random_low=0)),
    ("meters.energy.random_high", lambda: Meter("energy", drain=0, random_high=0.1)),
    ("meters.energy.place", lambda: Meter("energy", drain=0, place="")),
    ("meters.energy.place", lambda: WorldConfig(meters=with_meter("energy", place="Sofa"))),
    ("affordances.name", lambda: replace(BED, name="")),
    ("affordances.Job.name", lambda: WorldConfig(affordances=(*DEFAULT_AFFORDANCES[1:], replace(JOB, x=0)))),
    ("affordances.Bed.x", lambda: replace(BED, x=-1)),
    ("affordances.Bed.y", lambda: WorldConfig(affordances=(replace(BED, y=8),))),
    ("affordances.Bed.code", lambda: replace(BED, code=9)),
    ("affordances.Sofa.code", lambda: WorldConfig(affordances=(BED, Affordance("Sofa", 0, 0, 1, Effects())))),
    ("affordances.Sofa.x", lambda: WorldConfig(affordances=(BED, Affordance("Sofa", 1, 1, 2, Effects())))),
    ("affordances.Bed.effects.mood", lambda: replace(BED, effects=Effects(mood=float("inf")))),
    ("affordances.Job.rewarded.money", lambda: replace(JOB, rewarded=Effects(money=float("nan")))),
    ("affordances.Job.tired_money", lambda: replace(JOB, tired_money=-1)),
    ("affordances.Bed.tired_money", lambda: replace(BED, tired_money=3)),
    ("move.energy", lambda: WorldConfig(move=Effects(energy=float("nan")))),
    ("failed_interact.mood", lambda: WorldConfig(failed_interact=Effects(mood=float("nan")))),
    ("tired_below", lambda: WorldConfig(tired_below=1.5)),
    ("loneliness_below", lambda: WorldConfig(loneliness_below=0)),
    ("loneliness_mood", lambda: WorldConfig(loneliness_mood=-1)),
    ("end_penalty", lambda: WorldConfig(end_penalty=-1)),
    ("meals", lambda: WorldConfig(meals=("Snack",))),
    ("reward", lambda: WorldConfig(reward="dense")),  # type: ignore[arg-type]
    ("shaped.mood.above", lambda: ShapedReward(mood=Bands((0.5, 0.5, 0.1), (1, 1, 1, 1)))),
    ("shaped.mood.above", lambda: ShapedReward(mood=Bands((1.5, 0.5, 0.1), (1, 1, 1, 1)))),
    ("shaped.mood.above", lambda: ShapedReward(mood=Bands((0.5, 0.1), (1, 1, 1, 1)))),  # type: ignore[arg-type]
    ("shaped.mood.values", lambda: ShapedReward(mood=Bands((0.5, 0.3, 0.1), (1, 1, 1)))),  # type: ignore[arg-type]
    ("shaped.mood.values", lambda: ShapedReward(mood=Bands((0.5, 0.3, 0.1), (1, 1, 1, float("nan"))))),
    ("shaped.proximity_scale", lambda: ShapedReward(proximity_scale=-1)),
    ("shaped.hunger_below", lambda: ShapedReward(hunger_below=0)),
    ("survival.per_step", lambda: SurvivalReward(per_step=float("inf"))),
    ("survival.low_below", lambda: SurvivalReward(low_below=2)),
    ("survival.severe_below", lambda: SurvivalReward(severe_below=0.6)),
]


@pytest.mark.parametrize(("field", "make"), REFUSED)
def test_what_is_not_allowed_is_refused_by_name(field: str, make: Callable[[], object]) -> None:
    with pytest.raises(ConfigError) as caught:
        make()
    error = caught.value
    assert error.field == field
    assert str(error) == f"{field} is {error.value!r}; allowed: {error.allowed}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b'{"width":1}', "width is 1; allowed: a whole number from 2 to 128"),
        (b'{"num_agents":"two"}', "Expected `int`, got `str` - at `$.num_agents`"),
        (b'{"depth":3}', "unknown field `depth`"),
        (b'{"move":{"energy":1,"fun":2}}', "unknown field `fun`"),
        (b'{"reward":"dense"}', "Invalid enum value 'dense'"),
    ],
)
def test_a_file_with_a_wrong_configuration_says_what_is_wrong(text: bytes, message: str) -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.json.decode(text, type=WorldConfig)
    assert message in str(caught.value)


def test_the_widest_world_is_allowed() -> None:
    assert WorldConfig(width=128, height=128).observation_size == 8 + 128 * 128
