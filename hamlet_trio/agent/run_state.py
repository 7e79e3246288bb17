"""The bytes of what a run needs to go on exactly: state dicts of a learner and of what surrounds it.

Unlike a checkpoint this is private to the run, holds the replay memory, and is read by the program that wrote
it. It may hold tensors and plain values (None, bool, int, float, str, tuple, list, dict), nothing else.
"""

import io
import zipfile
from collections.abc import Mapping
from typing import Any

import torch


class RunStateError(ValueError):
    """The saved state of a run is damaged, or belongs to another kind of run."""


def encode_run_state(state: Mapping[str, Any]) -> bytes:
    """The state as bytes. Their length is about that of the replay memory's filled part, and twice that much
    memory is needed in passing.
    """
    buffer = io.BytesIO()
    torch.save(dict(state), buffer)
    return buffer.getvalue()


def decode_run_state(data: bytes) -> dict[str, Any]:
    """What `encode_run_state` was given; tensors are on the CPU. Never executes anything in the bytes.

    Raises `RunStateError` when they are damaged, as its check sums tell.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            damaged = archive.testzip()
        state = None if damaged else torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    # As in `archive.unpack`: the zip reader and torch answer damage with all kinds of errors.
    except Exception as error:
        raise RunStateError("The saved state of the run is damaged.") from error
    if not isinstance(state, dict):
        raise RunStateError("The saved state of the run is damaged.")
    return state
