"""A world file is a world or one sentence that names the field."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hamlet_trio.world import Affordance, Effects, WorldConfig
from hamlet_trio.world.config import PLACE_TYPES
from hamlet_trio.world.world_file import (
    MAX_BYTES,
    World,
    WorldError,
    changes_of,
    digest_of,
    file_schema,
    load_world,
    make_config,
    make_world,
    read_world,
)
from tests.world.strategies import configs

USUAL = WorldConfig()


def toml(text: str) -> WorldConfig:
    return read_world(text.encode(), "toml").config


def sentence_or_world(read: Callable[[], World]) -> str:
    """Return the digest of a world that was read, or the sentence of its refusal."""
    try:
        return read().digest
    except WorldError as error:
        return str(error)


def test_an_empty_file_is_the_usual_world() -> None:
    assert toml("") == USUAL
    assert read_world(b"{}", "json").config == USUAL
    assert changes_of(USUAL) == {}


@given(configs())
def test_any_world_survives_its_file(config: WorldConfig) -> None:
    text = msgspec.json.encode(changes_of(config))
    again = read_world(text, "json").config
    assert again == config
    assert digest_of(again) == digest_of(config)
    whole = msgspec.json.encode(config)
    assert read_world(whole, "json").config == config


def test_a_place_can_be_changed_added_and_removed_by_name() -> None:
    config = toml(
        """
        [affordances.Bed]
        x = 0
        [affordances.Bed.effects]
        money = -1
        [affordances]
        Gym = false
        [affordances.Library]
        x = 3
        y = 3
        code = 8
        type = "Recreation"
        effects = { mood = 10 }
        """
    )
    places = {place.name: place for place in config.affordances}
    assert (places["Bed"].x, places["Bed"].effects) == (0, Effects(money=-1, energy=50, hygiene=5))
    assert "Gym" not in places
    assert places["Library"].shown_type == "Recreation"
    assert config.meters[4].place is None, "no meter leads to a place that is gone"
    assert len(config.affordances) == len(USUAL.affordances)


def test_a_removed_meal_is_no_meal_any_more() -> None:
    assert toml("[affordances]\nFastFood = false").meals == ("HomeMeal",)


@pytest.mark.parametrize(
    ("text", "field", "words"),
    [
        ("width = 1", "width", "a whole number from 2 to 32; it is 1."),
        ("width = 33", "width", "a whole number from 2 to 32"),
        ("width = 1e308", "width", "a whole number from 2 to 32"),
        ('width = "a"', "width", "a whole number from 2 to 32"),
        ("num_agents = 99", "num_agents", "a whole number from 1 to 8"),
        (
            "width = 2\nheight = 2\nstart = [0, 0]\naffordances = []\nnum_agents = 5",
            "num_agents",
            "from 1 to 4",
        ),
        ("max_steps = 1.5", "max_steps", "a whole number from 1 to 1,000,000,000"),
        ("start = [1]", "start", "a list of 2, each a whole number; it is [1]."),
        ("meals = [1]", "meals", "a list, each text; it is [1]."),
        (
            "[shaped.mood]\nabove = [1, 0.5, 'x']",
            "shaped.mood.above",
            "a list of 3, each a number from 0 to 1",
        ),
        ('meters.money.drain = "x"', "meters.money.drain", "a number from 0 to 1,000,000"),
        (
            "colour = 1",
            "colour",
            "no field `colour` in a world. A world takes: title, about, width, height, ",
        ),
        (
            "[affordances.Bed]\ncolour = 1",
            "affordances.Bed.colour",
            "`affordances.Bed` takes: name, x, y, code, effects, ",
        ),
        ("[affordances.Bed]\ny = 3", "affordances.HomeMeal.x", "another column than that of Bed"),
        ("[affordances.Bed]\ncode = 2", "affordances.Shower.code", "another code than that of Bed"),
        ('[affordances.""]\nx = 1', "affordances[8].y", "is missing"),
        ("[shaped]\ncolour = 1", "shaped.colour", "no field"),
        ("[affordances.Bed]\nx = 99", "affordances.Bed.x", "from 0 to 7"),
        ('[affordances.Bed.effects]\nmoney = "free"', "affordances.Bed.effects.money", "a number"),
        (
            "[affordances.Pub]\nx = 0\ny = 0",
            "affordances.Pub.code",
            "missing; it must be a whole number from 1",
        ),
        ('[affordances.Bed]\ntype = "Pub"', "affordances.Bed.type", "one of Bar, Bed, FastFood"),
        ("[affordances]\nPub = false", "affordances.Pub", "no affordance"),
        ("[meters]\nmoney = 3", "meters.money", "a table"),
        ("[meters.money]\nstart = 500", "meters.money.start", "at most 100"),
        ("[move]\nenergy = inf", "move.energy", "a number from -1,000,000 to 1,000,000"),
        ("[survival]\nper_step = 1e308", "survival.per_step", "a number from -1,000,000 to 1,000,000"),
        ('reward = "cash"', "reward", "shaped, survival"),
        ('title = "a\\u001b[2J"', "title", "printable"),
        (f'about = "{"a" * 2001}"', "about", "2,000"),
    ],
)
def test_an_error_names_the_field_and_what_is_allowed(text: str, field: str, words: str) -> None:
    with pytest.raises(WorldError) as caught:
        toml(text)
    assert caught.value.field == field
    assert words in str(caught.value)


LONG = "9" * 400
LONGER = "9" * 5000


@pytest.mark.parametrize(
    "number", ["1e400", "-1e400", LONG, LONGER], ids=["1e400", "-1e400", "long", "longer"]
)
@pytest.mark.parametrize(
    ("text", "field", "rule"),
    [
        ('{"width": %s}', "width", "a whole number from 2 to 32"),
        ('{"end_penalty": %s}', "end_penalty", "a number from 0 to 1,000,000"),
        (
            '{"meters": {"money": {"start": %s}}}',
            "meters.money.start",
            "a number from -1,000,000 to 1,000,000",
        ),
    ],
)
def test_a_number_too_large_for_a_float_is_refused_at_its_field(
    text: str, field: str, rule: str, number: str
) -> None:
    with pytest.raises(WorldError) as caught:
        read_world((text % number).encode(), "json")
    assert caught.value.field == field
    assert f"`{field}` must be {rule}; it is " in str(caught.value)


@pytest.mark.parametrize("data", [b"\xff\xfe", b"width =", b"[" * 10_000, b"a" * (MAX_BYTES + 1)])
@pytest.mark.parametrize("kind", ["toml", "json"])
def test_what_is_no_world_file_is_refused_with_a_sentence(data: bytes, kind: Any) -> None:
    with pytest.raises(WorldError):
        read_world(data, kind)


def test_a_byte_order_mark_is_accepted() -> None:
    assert read_world(b"\xef\xbb\xbfwidth = 9\n", "toml").config.width == 9


@given(st.binary(max_size=300), st.sampled_from(["toml", "json"]))
def test_any_bytes_are_a_world_or_a_sentence(data: bytes, kind: Any) -> None:
    assert sentence_or_world(lambda: read_world(data, kind)).isprintable()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
names = st.sampled_from(
    [*WorldConfig.__struct_fields__, "title", "about", "Bed", "Bar", "name", "x", "effects"]
)


@given(st.dictionaries(names, json_values | st.dictionaries(names, json_values, max_size=3), max_size=4))
def test_any_fields_are_a_world_or_a_sentence(fields: dict[str, Any]) -> None:
    assert sentence_or_world(lambda: make_world(fields)).isprintable()


def test_the_digest_ignores_words_and_tells_rules_apart() -> None:
    assert make_world({"title": "A"}).digest == make_world({"title": "B"}).digest
    assert make_world({"width": 9}).digest != make_world({}).digest


def test_a_type_changes_how_a_place_is_shown_and_nothing_else() -> None:
    for place in USUAL.affordances:
        assert place.shown_type == place.name == PLACE_TYPES[place.code]
    assert Affordance("Corner Bar", 0, 0, 6, Effects()).shown_type == "Recreation"
    assert "type" not in msgspec.to_builtins(USUAL.affordances[0]), "files stay as they were"


def test_the_schema_accepts_what_the_reader_takes() -> None:
    schema = file_schema()
    assert set(schema["properties"]) == {*WorldConfig.__struct_fields__, "title", "about"}
    assert not any("required" in part for part in schema["$defs"].values())
    json.dumps(schema)


def numbers_of(
    fields: dict[str, Any], definitions: dict[str, Any], path: tuple[str, ...] = ()
) -> Iterator[Any]:
    """Yield each number of the schema as (path, schema), those within a list too."""
    for name, schema in fields.items():
        for part in (schema, *schema.get("anyOf", ())):
            for item in (part.get("items") or part, *part.get("prefixItems", ())[:1]):
                if "$ref" in item:
                    held = definitions[item["$ref"].rpartition("/")[2]]["properties"]
                    yield from numbers_of(held, definitions, (*path, name))
                elif item.get("type") in ("number", "integer"):
                    yield (*path, name), item


def test_the_schema_has_the_limits_of_every_number_and_the_reader_holds_them() -> None:
    schema = file_schema()
    found = list(numbers_of(schema["properties"], schema["$defs"]))
    assert len(found) > 50
    lists = {"start": 1, "above": 2, "values": 3}
    for path, limits in found:
        low = limits.get("minimum", limits.get("exclusiveMinimum"))
        assert low is not None, path
        for wrong in (low - 1, limits["maximum"] + 1):
            # By their names, as in a file.
            names = [*path[:1], *({"meters": ["money"], "affordances": ["Bed"]}.get(path[0], [])), *path[1:]]
            fields: Any = [wrong, *([0] * lists[path[-1]])] if path[-1] in lists and len(path) != 2 else wrong
            for name in reversed(names):
                fields = {name: fields}
            with pytest.raises(WorldError) as caught:
                make_world(fields)
            assert path[-1] in caught.value.field, path


def test_a_file_is_read_by_its_ending(tmp_path: Path) -> None:
    (tmp_path / "w.toml").write_text("width = 9")
    (tmp_path / "w.json").write_text('{"width": 10}')
    assert load_world(tmp_path / "w.toml").config.width == 9
    assert load_world(tmp_path / "w.json").config.width == 10
    (tmp_path / "w.yaml").write_text("width: 9")
    with pytest.raises(WorldError, match=r"\.toml or \.json"):
        load_world(tmp_path / "w.yaml")


def test_make_config_leaves_what_it_was_given_alone() -> None:
    fields: dict[str, Any] = {"affordances": {"Bed": {"x": 0}}}
    make_config(fields)
    assert fields == {"affordances": {"Bed": {"x": 0}}}
    assert changes_of(WorldConfig()) == {}, "nor is the usual world changed"
