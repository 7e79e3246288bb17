"""Plan the trials of a sweep: each a training run of its own."""

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any, Final

import msgspec
from msgspec import Struct

from hamlet_trio.agent.models import ModelFolder
from hamlet_trio.common.descriptions import allowed
from hamlet_trio.common.text import printable
from hamlet_trio.protocol.errors import BadMessageError, ErrorCode
from hamlet_trio.protocol.parameters import TrainingParameters
from hamlet_trio.protocol.sweeps import MAX_TRIALS, SettingValue, SweepParameters, SweepTrial
from hamlet_trio.training.plan import make_plan
from hamlet_trio.training.store import RunStore

_COMMAND: Final = "start_sweep"
_NOT_SETTINGS: Final = frozenset(
    {"seed", "world", "show", "show_every", "step_delay", "resume_from", "checkpoint_every"}
)
SETTINGS: Final = tuple(name for name in TrainingParameters.__struct_fields__ if name not in _NOT_SETTINGS)
"""The training parameters that a sweep may set."""
_SAVES: Final = 4  # of a trial's state, at most so many before its end; a process that dies loses the rest


class PlannedTrial(Struct, frozen=True, kw_only=True):
    """A trial with the parameters of its run; `trial` is what is told of it, and changes."""

    trial: SweepTrial
    parameters: TrainingParameters


def plan_trials(
    parameters: SweepParameters, store: RunStore, models: ModelFolder, *, most: int = MAX_TRIALS
) -> list[PlannedTrial]:
    """Return the trials: all seeds of the first combination of settings, then those of the next. File I/O.

    A setting or world that differs between trials is told with each of them.

    Raises `BadMessageError`, which names the field, for more than `most` trials, a setting that no sweep
    sets, a value that is not allowed, or an unknown world.
    """
    seeds, worlds = parameters.seeds, parameters.worlds or [None]
    _check_names(parameters)
    if len(set(seeds)) < len(seeds):
        raise _refusal("seeds", "`seeds` names a seed twice; name each once.")
    count = len(seeds) * len(worlds)
    for values in parameters.settings.values():
        count *= len(values)
    if count > most:
        raise _refusal("seeds", f"The sweep would have {count:,} trials; at most {most:,} are allowed.")
    planned: list[PlannedTrial] = []
    for world, label in zip(worlds, _labels(worlds), strict=True):
        for settings in _combinations(parameters):
            told = {name: value for name, value in settings.items() if len(parameters.settings[name]) > 1}
            # The world is looked up once for all seeds.
            first = _with_world(settings, world, seeds[0], store, models)
            for seed in seeds:
                own = first if seed == seeds[0] else msgspec.structs.replace(first, seed=seed)
                trial = SweepTrial(
                    trial=len(planned) + 1,
                    run_id="",
                    seed=seed,
                    settings=told,
                    world=label,
                    num_episodes=own.num_episodes,
                )
                planned.append(PlannedTrial(trial=trial, parameters=own))
    return planned


def _check_names(parameters: SweepParameters) -> None:
    for name, values in parameters.settings.items():
        if name not in SETTINGS:
            raise _refusal(
                f"settings.{printable(name, 60)}",
                f"`{printable(name, 60)}` is no setting of a sweep; it may set {', '.join(SETTINGS)}.",
            )
        if len(set(map(msgspec.json.encode, values))) < len(values):
            raise _refusal(f"settings.{name}", f"`{name}` has a value twice; name each once.")


def _combinations(parameters: SweepParameters) -> Iterator[dict[str, SettingValue]]:
    names = list(parameters.settings)
    for values in product(*parameters.settings.values()):
        yield dict(zip(names, values, strict=True))


def _with_world(
    settings: dict[str, SettingValue], world: Any, seed: int, store: RunStore, models: ModelFolder
) -> TrainingParameters:
    """Return the parameters of a run with these settings."""
    shown = {"step_delay": 0.0, "show_every": 100_000}  # nobody watches single episodes
    try:
        wanted = msgspec.convert(settings | shown | {"world": world, "seed": seed}, TrainingParameters)
    except msgspec.ValidationError as error:
        raise _not_allowed(settings, str(error)) from None
    every = max(1, -(-wanted.num_episodes // _SAVES))
    wanted = msgspec.structs.replace(wanted, checkpoint_every=every)
    try:
        return make_plan(wanted, store, models).parameters
    except BadMessageError as error:
        name = error.field or ""
        field = "worlds" if name.startswith("world") else f"settings.{name}"
        raise BadMessageError(error.code, error.message, command=_COMMAND, field=field) from None


def _not_allowed(settings: dict[str, SettingValue], reason: str) -> BadMessageError:
    sentence, _, place = reason.partition(" - at `$.")
    name = place.strip("`")
    if name not in settings:  # a rule between two settings, or a form of world that there is not
        return _refusal("settings", f"{sentence}.".replace("..", "."))
    rule = allowed(TrainingParameters, name)
    return _refusal(
        f"settings.{name}", f"`{name}` must be {rule}; {printable(str(settings[name]), 60)} was given."
    )


def _labels(worlds: Sequence[Any]) -> list[str | None]:
    """Return a name for each of several worlds; None for a single one, which needs none."""
    if len(worlds) == 1:
        return [None]
    labels: list[str] = []
    for number, world in enumerate(worlds, start=1):
        match world:
            case None:
                label = "usual"
            case str():
                label = world
            case _:
                label = str(world.get("title") or f"world {number}")
        labels.append(label if label not in labels else f"{label} ({number})")
    return list(labels)


def _refusal(field: str, sentence: str) -> BadMessageError:
    return BadMessageError(ErrorCode.OUT_OF_RANGE, sentence, command=_COMMAND, field=field)
