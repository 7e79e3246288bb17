"""Options of `hamlet train`, derived from TrainingParameters so that wire and command line cannot differ."""

import inspect
from collections.abc import Callable
from typing import Annotated, Any

import msgspec
import typer

from hamlet_trio.cli.errors import UserError
from hamlet_trio.common.descriptions import allowed
from hamlet_trio.protocol.parameters import TrainingParameters

# Parameters that only a server with viewers has, and those with an option of their own.
_NOT_OPTIONS = frozenset({"show", "show_every", "step_delay", "resume_from", "world"})
_NO_DEFAULT = {"seed": "chosen and reported"}
_PYTHON_TYPES: dict[type, type] = {
    msgspec.inspect.IntType: int,
    msgspec.inspect.FloatType: float,
    msgspec.inspect.BoolType: bool,
}
_OTHER_NAMES = {"num_episodes": ["--episodes", "--num-episodes"]}


def with_training_options(command: Callable[..., None]) -> Callable[..., None]:
    """Replace the `parameters` argument of a command by one option for each training parameter."""

    def run(**given: Any) -> None:
        chosen = {name: given.pop(name) for name in _fields() if given.get(name) is not None}
        given = {name: value for name, value in given.items() if name not in _fields()}
        command(parameters=_checked(chosen), **given)

    own = [p for p in inspect.signature(command).parameters.values() if p.name != "parameters"]
    options = [_option(name, field) for name, field in _fields().items()]
    run.__signature__ = inspect.Signature([*options, *own])  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in [*options, *own]}
    run.__name__ = command.__name__
    run.__doc__ = command.__doc__
    return run


def _fields() -> dict[str, msgspec.inspect.Field]:
    info = msgspec.inspect.type_info(TrainingParameters)
    assert isinstance(info, msgspec.inspect.StructType)
    return {field.name: field for field in info.fields if field.name not in _NOT_OPTIONS}


def _names(name: str) -> list[str]:
    """Return the names of a field's option, the one to show first."""
    return _OTHER_NAMES.get(name, ["--" + name.replace("_", "-")])


def _option(name: str, field: msgspec.inspect.Field) -> inspect.Parameter:
    kind, words = field.type, ""
    if isinstance(kind, msgspec.inspect.Metadata):
        words = (kind.extra_json_schema or {}).get("description", "")
        kind = kind.type
    if isinstance(kind, msgspec.inspect.UnionType):
        kind = next(part for part in kind.types if not isinstance(part, msgspec.inspect.NoneType))
    if isinstance(kind, msgspec.inspect.Metadata):
        kind = kind.type
    if isinstance(kind, msgspec.inspect.LiteralType):
        words += ": " + ", ".join(map(str, kind.values))
    python_type = _PYTHON_TYPES.get(type(kind), str)
    default = _NO_DEFAULT.get(name, "the world's") if field.default is None else str(field.default)
    help_text = words[:1].upper() + words[1:] + "."
    names = _names(name)
    if python_type is bool:
        names = [f"{names[0]}/--no-{names[0][2:]}"]
    option = typer.Option(*names, help=help_text, show_default=default)
    annotation = Annotated[python_type | None, option]  # type: ignore[valid-type]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _checked(chosen: dict[str, Any]) -> dict[str, Any]:
    """Return the chosen values; raises `UserError` with the option's name for one out of its limits."""
    try:
        msgspec.convert(chosen, TrainingParameters)
    except msgspec.ValidationError as error:
        reason, _, place = str(error).partition(" - at `$.")
        name = place.strip("`")
        option = _names(name)[0] if name else ""
        words = f"it must be {allowed(TrainingParameters, name)}." if name else reason
        raise UserError(f"{option} {chosen.get(name, '')}: {words}".strip(" :")) from None
    return chosen
