"""The metadata of a checkpoint."""

import itertools
import math
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from hamlet_trio.agent.names import NETWORK_TYPES, NetworkType
from hamlet_trio.common.text import printable

FORMAT_VERSION: Final = 1

_MAX_DEPTH: Final = 16
_MAX_VALUES: Final = 200_000
_MAX_NUMBER: Final = 2**53  # what JSON carries exactly
_MAX_CHARACTERS: Final = 10_000
_TEXTS: Final = {"title": 200, "story": 2000, "watch_for": 2000, "command": 2000}
"""The texts for people, each with the number of characters to which it is cut."""
_MEANS: Final = ("mean_length", "mean_return")

_Count = Annotated[int, Meta(ge=0)]


class MetadataError(ValueError):
    """Unusable metadata; the message continues a sentence that begins with the file's name."""


class CheckpointMetadata(Struct, frozen=True, kw_only=True):
    """Facts about a trained network and texts for people; all but the network's own are optional.

    `sizes` are those of `networks.spec` as plain values, `world` the world configuration, `parameters` the
    training parameters, `evaluation` (from the usual start) and `evaluation_random` (from random
    starts) at least `mean_length` (steps) and `mean_return`. `seed` is the run's,
    `episode` the last one trained. `title`, `story`, `watch_for` and `command` are for people.

    Of metadata that `read_metadata` returned, numbers are finite and at most 2**53, and texts are bounded;
    those for people are one printable line each.
    """

    format_version: int = FORMAT_VERSION
    """0 for a file of another program, which has no metadata."""
    network_type: NetworkType
    sizes: dict[str, Any] = {}
    world: dict[str, Any] | None = None
    episode: _Count | None = None
    seed: _Count | None = None
    parameters: dict[str, Any] = {}
    evaluation: dict[str, Any] | None = None
    evaluation_random: dict[str, Any] | None = None
    title: str | None = None
    story: str | None = None
    watch_for: str | None = None
    command: str | None = None


def read_metadata(content: object) -> CheckpointMetadata:
    """Return the metadata in the plain values of a file; unknown fields of this format version are ignored.

    Raises `MetadataError` for a newer format version, and for a field of the wrong type or beyond its bounds.
    """
    if not isinstance(content, dict):
        raise MetadataError("has metadata that are no mapping of names to values")
    version = content.get("format_version")
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise MetadataError(
            f"has format version {version}, written by a newer Hamlet; this one reads up to {FORMAT_VERSION}"
        )
    network_type = content.get("network_type")
    if not isinstance(network_type, str) or network_type not in NETWORK_TYPES:
        raise MetadataError("has metadata that name no known network type")
    try:
        _check_plain(content)
        metadata = msgspec.convert(content, CheckpointMetadata)
    except msgspec.ValidationError as error:
        raise MetadataError(f"has unusable metadata ({printable(error, 200)})") from error
    for part, name in itertools.product(("evaluation", "evaluation_random"), _MEANS):
        value = (getattr(metadata, part) or {}).get(name, 0)
        if not isinstance(value, (int, float)):
            raise MetadataError(f"has metadata whose {part}.{name} is not a number")
    texts = {name: getattr(metadata, name) for name in _TEXTS}
    lines = {name: printable(" ".join(text.split()), _TEXTS[name]) for name, text in texts.items() if text}
    return msgspec.structs.replace(metadata, **lines)


def _check_plain(content: object) -> None:
    """Refuse values that JSON cannot carry, and huge ones: tensors, infinities, endless nesting."""
    waiting = [(content, 0)]
    for seen in itertools.count():
        if not waiting:
            return
        value, depth = waiting.pop()
        # A pickle can refer to one list in many places, so few bytes can mean endlessly many values.
        if seen > _MAX_VALUES or depth > _MAX_DEPTH:
            raise MetadataError(f"has metadata of over {_MAX_VALUES:,} values or {_MAX_DEPTH} levels")
        if isinstance(value, dict):
            if not all(isinstance(key, str) for key in value):
                raise MetadataError("has metadata with a name that is not text")
            waiting += [(key, depth) for key in value]
            waiting += [(item, depth + 1) for item in value.values()]
        elif isinstance(value, (list, tuple)):
            waiting += [(item, depth + 1) for item in value]
        elif isinstance(value, float) and not math.isfinite(value):
            raise MetadataError("has metadata with a number that is not finite")
        elif isinstance(value, int) and abs(value) > _MAX_NUMBER:
            raise MetadataError(f"has metadata with a number beyond {_MAX_NUMBER:,}")
        elif isinstance(value, str) and len(value) > _MAX_CHARACTERS:
            raise MetadataError(f"has metadata with a text of over {_MAX_CHARACTERS:,} characters")
        elif value is not None and not isinstance(value, (bool, int, float, str)):
            raise MetadataError("has metadata with other things than text, numbers, lists and mappings")


def world_shape(metadata: CheckpointMetadata) -> tuple[int, int] | None:
    """Return width and height of the world that a network was trained in, if its metadata name them."""
    world = metadata.world or {}
    width, height = world.get("width"), world.get("height")
    if isinstance(width, int) and isinstance(height, int):
        return width, height
    return None
