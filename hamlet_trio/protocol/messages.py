"""What the server sends, as typed structs: the one place to import them from; `encode` makes a frame's text.

Floats are finite by construction: the world clamps its meters, and a run whose loss is no longer
finite fails.
"""

import msgspec
from msgspec import Struct

from hamlet_trio.protocol.episode import *  # noqa: F403
from hamlet_trio.protocol.errors import *  # noqa: F403
from hamlet_trio.protocol.frame_parts import *  # noqa: F403
from hamlet_trio.protocol.inference_messages import *  # noqa: F403
from hamlet_trio.protocol.training_messages import *  # noqa: F403

_encoder = msgspec.json.Encoder()


def encode(message: Struct) -> str:
    """Return the text of a frame: one JSON object."""
    return _encoder.encode(message).decode()


def encode_bytes(message: Struct) -> bytes:
    """Return the same as UTF-8 bytes, to be forwarded between processes without decoding."""
    return _encoder.encode(message)
