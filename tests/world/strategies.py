"""Hypothesis strategies for worlds that the rules allow."""

from hypothesis import strategies as st

from hamlet_trio.world import (
    METERS,
    Affordance,
    Bands,
    Effects,
    Meter,
    ShapedReward,
    SurvivalReward,
    WorldConfig,
)
from hamlet_trio.world.config import DEFAULT_METERS

# Mostly round numbers, so that ties and exact limits come up; the rest anything.
amounts = st.one_of(st.integers(-60, 60).map(float), st.floats(-60, 60, allow_nan=False))
rates = st.one_of(st.sampled_from([0.0, 0.5, 1.0, 5.0, 10.0]), st.floats(0, 15))
fractions = st.one_of(st.sampled_from([0.2, 0.3, 0.4, 0.5, 0.75]), st.floats(0.05, 0.95))
effects = st.builds(Effects, **dict.fromkeys(METERS, st.one_of(st.just(0.0), amounts)))
costs = st.builds(Effects, **dict.fromkeys(METERS, st.one_of(st.just(0.0), rates.map(lambda rate: -rate))))


@st.composite
def meters(draw: st.DrawFn, name: str, places: list[str]) -> Meter:
    minimum = draw(st.sampled_from([0.0, -100.0, -20.0, 10.0]))
    maximum = minimum + draw(st.sampled_from([100.0, 200.0, 37.0]))
    start = minimum + draw(st.floats(0.1, 1.0)) * (maximum - minimum)
    place = draw(st.one_of(st.none(), st.sampled_from(places))) if places else None
    low = draw(st.floats(0.05, 0.9))
    return Meter(
        name,
        drain=draw(rates),
        start=min(start, maximum),
        minimum=minimum,
        maximum=maximum,
        place=place,
        random_low=low,
        random_high=draw(st.floats(low, 1.0)),
    )


@st.composite
def bands(draw: st.DrawFn) -> Bands:
    a, b, c = sorted(draw(st.lists(fractions, min_size=3, max_size=3, unique=True)), reverse=True)
    values = st.floats(-3, 3)
    return Bands((a, b, c), (draw(values), draw(values), draw(values), draw(values)))


@st.composite
def shaped_rewards(draw: st.DrawFn) -> ShapedReward:
    scale = st.floats(0, 3)
    return ShapedReward(
        **{meter: draw(bands()) for meter in METERS},
        interaction_scale=draw(scale),
        money_need_scale=draw(scale),
        critical_below=draw(fractions),
        money_critical_below=draw(fractions),
        proximity_scale=draw(scale),
        hunger_below=draw(fractions),
        hunger_scale=draw(scale),
    )


@st.composite
def survival_rewards(draw: st.DrawFn) -> SurvivalReward:
    low = draw(fractions)
    return SurvivalReward(
        per_step=draw(st.floats(0, 2)),
        low_below=low,
        low_penalty=draw(st.floats(0, 2)),
        severe_below=draw(st.floats(0, low)),
        severe_penalty=draw(st.floats(0, 3)),
    )


@st.composite
def affordances(draw: st.DrawFn, width: int, height: int) -> tuple[Affordance, ...]:
    cells = st.tuples(st.integers(0, width - 1), st.integers(0, height - 1))
    most = min(8, width * height)
    places = draw(st.lists(cells, min_size=0, max_size=most, unique=True))
    codes = draw(st.permutations(range(1, 9)))
    made = []
    for index, (x, y) in enumerate(places):
        changes = draw(effects)
        tired = draw(st.one_of(st.none(), st.floats(0, 30))) if changes.money >= 0 else None
        rewarded = draw(st.one_of(st.none(), effects))
        made.append(Affordance(f"place {index}", x, y, codes[index], changes, tired, rewarded))
    return tuple(made)


@st.composite
def configs(draw: st.DrawFn, max_agents: int = 4) -> WorldConfig:
    """Half the reference's world from anywhere, half small worlds, so crowded that things happen soon."""
    if draw(st.booleans()):
        agents = draw(st.integers(1, max_agents))
        return WorldConfig(
            num_agents=agents,
            contention=draw(st.booleans()),
            max_steps=draw(st.integers(1, 60)),
            start=(draw(st.integers(0, 7)), draw(st.integers(0, 7))),
            reward=draw(st.sampled_from(["shaped", "survival"])),
            meters=tuple(
                Meter(
                    meter.name,
                    meter.drain,
                    draw(st.integers(round(meter.minimum) + 1, 100)),
                    meter.minimum,
                    meter.maximum,
                    meter.place,
                )
                for meter in DEFAULT_METERS
            ),
        )
    width, height = draw(st.integers(2, 5)), draw(st.integers(2, 5))
    places = draw(affordances(width, height))
    names = [place.name for place in places]
    return WorldConfig(
        width=width,
        height=height,
        start=(draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))),
        num_agents=draw(st.integers(1, min(max_agents, width * height))),
        contention=draw(st.booleans()),
        max_steps=draw(st.integers(1, 40)),
        meters=tuple(draw(meters(name, names)) for name in METERS),
        affordances=places,
        move=draw(costs),
        failed_interact=draw(costs),
        tired_below=draw(fractions),
        loneliness_below=draw(fractions),
        loneliness_mood=draw(st.floats(0, 10)),
        end_penalty=draw(st.floats(0, 200)),
        meals=tuple(draw(st.lists(st.sampled_from(names), unique=True, max_size=3))) if names else (),
        reward=draw(st.sampled_from(["shaped", "survival"])),
        shaped=draw(shaped_rewards()),
        survival=draw(survival_rewards()),
    )
