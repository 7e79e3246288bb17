"""What the server sends, as typed structs: the one place to import them from; `encode` makes a frame's text.

Floats are finite by construction: the world clamps its meters, and a run whose loss is no longer
finite fails.
"""

from msgspec import Struct

from hamlet_trio.common.encoding import to_json
from hamlet_trio.protocol.deltas import *  # noqa: F403
from hamlet_trio.protocol.episode import *  # noqa: F403
from hamlet_trio.protocol.errors import *  # noqa: F403
from hamlet_trio.protocol.frame_parts import *  # noqa: F403
from hamlet_trio.protocol.inference_messages import *  # noqa: F403
from hamlet_trio.protocol.training_messages import *  # noqa: F403


def encode(message: Struct) -> str:
    """Return the text of a frame: one JSON object."""
    return to_json(message).decode()


def encode_bytes(message: Struct) -> bytes:
    """Return the same as UTF-8 bytes, to be forwarded between processes without decoding."""
    return to_json(message)
