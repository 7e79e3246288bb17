"""The saved state with which a run continues exactly: the state dicts of its learner and of its parts.

Unlike a checkpoint it is private to the run, holds the replay buffer, and is read by the program that wrote
it. It holds tensors and plain values (None, bool, int, float, str, tuple, list, dict), nothing else.
"""

import io
import zipfile
from collections.abc import Mapping
from typing import Any

import torch


class RunStateError(ValueError):
    """A saved state that is damaged or belongs to another kind of run."""


def encode_run_state(state: Mapping[str, Any]) -> bytes:
    """Return the state as bytes, about as many as the filled part of the replay buffer.

    Encoding temporarily needs twice that much memory.
    """
    buffer = io.BytesIO()
    torch.save(dict(state), buffer)
    return buffer.getvalue()


def decode_run_state(data: bytes) -> dict[str, Any]:
    """Return the state that `encode_run_state` encoded, with tensors on the CPU; nothing in it is executed.

    Raises `RunStateError` when the bytes are damaged, by their checksums.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            damaged = archive.testzip()
        state = None if damaged else torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    # The zip reader and torch raise many kinds of errors for damaged bytes.
    except Exception as error:
        raise RunStateError("The saved state of the run is damaged.") from error
    if not isinstance(state, dict):
        raise RunStateError("The saved state of the run is damaged.")
    return state
