"""A run's world: by name, as an object, or that of the model it starts from."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from hamlet_trio.agent.networks import build_network
from hamlet_trio.protocol.errors import BadMessageError, ErrorCode
from hamlet_trio.protocol.parameters import TrainingParameters, world_of
from hamlet_trio.training.recipe import DEFAULT_RECIPE
from hamlet_trio.training.run import TrainingRun
from hamlet_trio.training.run_world import check_network, with_world
from hamlet_trio.world import WorldConfig
from hamlet_trio.world.library import WorldLibrary, worlds_path
from hamlet_trio.world.world_file import make_config, make_world

NINE: dict[str, Any] = {"width": 9, "affordances": {"Gym": False}}


def planned(folder: Path, model_world: dict[str, Any] | None = None, **given: Any) -> TrainingParameters:
    return with_world(TrainingParameters(**given), folder, model_world)


def test_without_a_world_the_parameters_are_what_they_were(tmp_path: Path) -> None:
    assert planned(tmp_path) == TrainingParameters()
    assert planned(tmp_path, world="usual").world is not None, "it was chosen, and has a title"
    assert world_of(planned(tmp_path, world="usual")).config == WorldConfig()


def test_a_name_is_replaced_by_its_world(tmp_path: Path) -> None:
    library = WorldLibrary(worlds_path(str(tmp_path)))
    library.save("nine", make_world(NINE | {"title": "Nine"}))
    parameters = planned(tmp_path, world="nine")
    library.delete("nine")
    world = world_of(parameters)
    assert (world.title, world.config) == ("Nine", make_world(NINE).config)
    again = msgspec.json.decode(msgspec.json.encode(parameters), type=TrainingParameters)
    assert world_of(again) == world


def test_a_model_brings_its_own_world_unless_one_was_chosen(tmp_path: Path) -> None:
    own = msgspec.to_builtins(make_world(NINE).config)
    assert world_of(planned(tmp_path, own)).config.width == 9
    assert world_of(planned(tmp_path, own, world="usual")).config.width == 8


@pytest.mark.parametrize(
    ("world", "code", "field"),
    [
        ("nowhere", ErrorCode.UNKNOWN_WORLD, "world"),
        ("../usual", ErrorCode.UNKNOWN_WORLD, "world"),
        ({"width": 1}, ErrorCode.INVALID_WORLD, "world.width"),
        ({"affordances": {"Bed": {"x": 99}}}, ErrorCode.INVALID_WORLD, "world.affordances.Bed.x"),
        ({"colour": 1}, ErrorCode.INVALID_WORLD, "world.colour"),
        ({"width": 33}, ErrorCode.INVALID_WORLD, "world.width"),
        ({"num_agents": 9}, ErrorCode.INVALID_WORLD, "world.num_agents"),
    ],
)
def test_a_world_that_no_run_can_take_is_refused(
    tmp_path: Path, world: Any, code: ErrorCode, field: str
) -> None:
    with pytest.raises(BadMessageError) as caught:
        planned(tmp_path, world=world)
    assert (caught.value.code, caught.value.field, caught.value.command) == (code, field, "start_training")


@pytest.mark.parametrize(
    ("changes", "field"), [({"width": 40}, "resume_from"), ({"num_agents": 9}, "num_agents")]
)
def test_a_model_of_a_larger_world_than_runs_take_is_refused(
    tmp_path: Path, changes: dict[str, int], field: str
) -> None:
    own = msgspec.to_builtins(make_config(changes))
    with pytest.raises(
        BadMessageError, match=f"{next(iter(changes))} is .*; allowed: a whole number from"
    ) as caught:
        planned(tmp_path, own)
    assert (caught.value.code, caught.value.field) == (ErrorCode.OUT_OF_RANGE, field)


def test_a_network_that_cannot_read_the_world_is_refused_before_a_run_begins(tmp_path: Path) -> None:
    nothing = planned(tmp_path, world={"affordances": []})
    with pytest.raises(BadMessageError, match="in a world without places: options are walks") as caught:
        check_network(nothing, None)
    assert (caught.value.code, caught.value.field) == (ErrorCode.OUT_OF_RANGE, "network_type")
    check_network(msgspec.structs.replace(nothing, network_type="egocentric"), None)

    nine = planned(tmp_path, world=NINE, resume_from="trained_agent.pt")
    spec = build_network("options", 72, 5, 8, 8).spec
    with pytest.raises(BadMessageError, match=r"8 x 8 cells; this one has 9 x 8\. Leave out") as caught:
        check_network(nine, spec)
    assert (caught.value.code, caught.value.field) == (ErrorCode.UNUSABLE_MODEL, "resume_from")
    check_network(msgspec.structs.replace(nine, world=None), spec)


def test_a_run_learns_in_its_world(tmp_path: Path) -> None:
    run = TrainingRun(planned(tmp_path, world=NINE, seed=1, num_episodes=1))
    assert run.worlds.config == make_world(NINE).config
    while not run.finished:
        run.step()
    assert run.checkpoint().metadata.world == msgspec.to_builtins(run.worlds.config)


def test_a_worlds_own_step_limit_holds_unless_another_is_given(tmp_path: Path) -> None:
    short = {"max_steps": 60}
    assert DEFAULT_RECIPE.world_config(planned(tmp_path, world=short)).max_steps == 60
    assert DEFAULT_RECIPE.world_config(planned(tmp_path, world=short, max_steps=80)).max_steps == 80
    assert DEFAULT_RECIPE.world_config(planned(tmp_path)).max_steps == 500
