"""The tables of the world's rules, from the defaults of `WorldConfig`."""

from typing import Final

import msgspec

from hamlet_trio.world.config import ACTIONS, FAILURE_REASONS, FATAL_METERS, METERS, Effects, WorldConfig
from hamlet_trio.world.library import WorldLibrary
from hamlet_trio.world.reward_config import Bands
from scripts.doc_tables.markdown import code, number, signed, table

_CONFIG: Final = WorldConfig()
_MINUS: Final = "\u2212"
_TIMES: Final = "\u00d7"
_ACTION_WORDS: Final = {
    "up": "y \u2212 1",
    "down": "y + 1",
    "left": "x \u2212 1",
    "right": "x + 1",
    "interact": "use the affordance of this cell",
}


def actions() -> str:
    """List the actions by number."""
    rows = [(number(code_), code(name), _ACTION_WORDS[name]) for code_, name in enumerate(ACTIONS)]
    return table(("Number", "Action", "What it does"), rows)


def meters() -> str:
    """List the meters with their range and drain."""
    rows = [
        (
            meter.name,
            number(meter.start),
            f"{signed(meter.minimum)} to {number(meter.maximum)}",
            number(meter.drain),
            "yes" if meter.name in FATAL_METERS else "no",
            meter.place or "",
        )
        for meter in _CONFIG.meters
    ]
    return table(("Meter", "Start", "Range", "Drain a step", "Fatal when empty", "Its place"), rows)


def affordances() -> str:
    """List the affordances with cell, price and effects."""
    rows = []
    for affordance in _CONFIG.affordances:
        effects = _effects(affordance.effects, money=False)
        if affordance.rewarded is not None and affordance.tired_money is not None:
            pay = f"earns {number(affordance.effects.money)}, or {number(affordance.tired_money)} when tired"
        else:
            pay = f"costs {number(-affordance.effects.money)}"
        cell = f"({affordance.x}, {affordance.y})"
        rows.append((affordance.name, cell, pay, effects, number(affordance.code)))
    return table(("Affordance", "Cell", "Money", "Other effects", "Code in the observation"), rows)


def _effects(effects: Effects, *, money: bool = True) -> str:
    changes = zip(METERS, effects.in_order(), strict=True)
    return ", ".join(
        f"{meter} {signed(change)}" for meter, change in changes if change and (money or meter != "money")
    )


def costs() -> str:
    """List the costs of actions, and the rules about tiredness and loneliness."""
    config = _CONFIG
    rows = [
        ("A move, also one into the border", _effects(config.move)),
        ("`interact` with nothing there, or refused", _effects(config.failed_interact)),
        (
            f"Social (normalised) s < {config.loneliness_below:g}",
            f"mood \u2212{config.loneliness_mood:g} \u00d7 ({config.loneliness_below:g} \u2212 s) / "
            f"{config.loneliness_below:g}",
        ),
        (
            f"At the Job with energy or hygiene (normalised) < {config.tired_below:g}",
            "the lower pay, judged before the Job's own effects",
        ),
    ]
    return table(("When", "What changes"), rows)


def endings() -> str:
    """List the failure reasons."""
    rows = []
    for reason, meter in zip(FAILURE_REASONS[1:], FATAL_METERS, strict=True):
        rows.append((code(reason), f"{meter} is at its minimum"))
    return table(("`failure_reason`", "When"), rows)


def reward_bands() -> str:
    """List the shaped reward's meter terms."""
    rows = []
    for meter in METERS:
        bands: Bands = getattr(_CONFIG.shaped, meter)
        cells = [
            f"n > {threshold:g}: {signed(value)}"
            for threshold, value in zip(bands.above, bands.values[:3], strict=True)
        ]
        rows.append((meter, *cells, f"else {signed(bands.values[3])}"))
    return table(("Meter", "High", "Good", "Low", "Critical"), rows)


def reward_terms() -> str:
    """List the shaped reward's other terms."""
    shaped, config = _CONFIG.shaped, _CONFIG
    span = config.width + config.height
    money_need = f"min({shaped.money_need_scale:g} {_TIMES} (1 {_MINUS} n), 1)"
    hunger = f"min(1, ({shaped.hunger_below:g} {_MINUS} n) / {shaped.hunger_below:g})"
    meals = " and ".join(config.meals)
    rows = [
        (
            "interaction",
            "after a successful `interact`, for each listed positive effect d on a meter m",
            f"+need {_TIMES} d / 50 {_TIMES} {shaped.interaction_scale:g}; need = 1 {_MINUS} n(m) before the "
            f"step; for money {money_need}{_rewarded_otherwise()}",
        ),
        (
            "proximity",
            f"the meter with the largest 1 {_MINUS} n among those with n < {shaped.critical_below:g} "
            f"(money: n < {shaped.money_critical_below:g})",
            f"+(1 {_MINUS} n) {_TIMES} (1 {_MINUS} distance to its place / {span}) "
            f"{_TIMES} {shaped.proximity_scale:g}",
        ),
        (
            "hunger",
            f"n(satiation) < {shaped.hunger_below:g}",
            f"{_MINUS}{hunger} {_TIMES} distance to the nearer of {meals} / {span} "
            f"{_TIMES} {shaped.hunger_scale:g}",
        ),
        ("ending", "a fatal meter is empty", f"{_MINUS}{config.end_penalty:g}"),
    ]
    return table(("Term", "When", "Adds"), rows)


def _rewarded_otherwise() -> str:
    """Name the affordances whose effects count differently in the reward."""
    return "".join(
        f". The {affordance.name} counts as {_effects(affordance.rewarded)}"
        for affordance in _CONFIG.affordances
        if affordance.rewarded is not None
    )


def survival() -> str:
    """List the terms of the survival reward."""
    reward = _CONFIG.survival
    rows = [
        ("every step", signed(reward.per_step)),
        (
            f"for each of energy, hygiene and satiation with {reward.severe_below:g} \u2264 n < "
            f"{reward.low_below:g}",
            signed(-reward.low_penalty),
        ),
        (
            f"for each of energy, hygiene and satiation with n < {reward.severe_below:g}",
            signed(-reward.severe_penalty),
        ),
        ("a fatal meter is empty", signed(-_CONFIG.end_penalty)),
    ]
    return table(("When", "Adds"), rows)


def configuration() -> str:
    """List the fields of `WorldConfig` that hold a single value."""
    simple = (bool, int, float, str, tuple)
    rows = []
    for field in msgspec.structs.fields(WorldConfig):
        value = getattr(_CONFIG, field.name)
        if isinstance(value, simple) and not (isinstance(value, tuple) and not isinstance(value[0], int)):
            rows.append((code(field.name), code(f"{value:g}" if isinstance(value, float) else value)))
    return table(("Field of `WorldConfig`", "Default"), rows)


def presets() -> str:
    """List the worlds that come with Hamlet."""
    rows = [
        (code(entry.name), entry.world.title, entry.world.about)
        for entry in WorldLibrary().worlds()
        if entry.world is not None
    ]
    return table(("Name", "World", "What it asks"), rows)


TABLES: Final = {
    "world-actions": actions,
    "world-meters": meters,
    "world-affordances": affordances,
    "world-costs": costs,
    "world-endings": endings,
    "world-reward-bands": reward_bands,
    "world-reward-terms": reward_terms,
    "world-reward-survival": survival,
    "world-configuration": configuration,
    "world-presets": presets,
}
