"""What is fuzzed: each target takes any bytes and must end in a value or in its own one error.

`python -m scripts.fuzz` looks for bytes that break this, guided by coverage; tests/fuzz/test_corpus.py
replays what was kept.
"""

import io
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

import torch

from hamlet_trio.agent.checkpoint import (
    Checkpoint,
    CheckpointError,
    CheckpointMetadata,
    encode_checkpoint,
    parse_checkpoint,
)
from hamlet_trio.agent.networks import build_network
from hamlet_trio.protocol.commands import inference_commands, training_commands
from hamlet_trio.protocol.errors import BadMessageError
from tests.fuzz import file_targets, shared_targets, written_targets

CORPUS: Final = Path(__file__).parent / "corpus"
_NAME: Final = "fuzzed.pt"


def command(data: bytes) -> None:
    """A text frame of either endpoint: a command, or `BadMessageError` with one sentence."""
    text = data.decode("utf-8", errors="surrogateescape")
    for decoder in (inference_commands, training_commands):
        for frame in (text, data):
            try:
                decoder.decode(frame)
            except BadMessageError as error:
                assert error.message, "the person is told nothing"
                assert "\n" not in error.code, "a code is one word"
                assert len(error.message) < 2000, "what is refused is repeated at length"


def checkpoint(data: bytes) -> None:
    """A model's file: a network that answers, or `CheckpointError` with one sentence that names the file."""
    try:
        loaded = parse_checkpoint(data, _NAME)
    except CheckpointError as error:
        assert str(error).startswith(_NAME), f"which file? {error}"
        assert "\n" not in str(error), f"not one sentence: {error}"
    else:
        size = loaded.spec.observation_size
        assert torch.isfinite(loaded.network(torch.zeros(1, size))).all()


def pickled(data: bytes) -> None:
    """The pickle within a model's file that is in order otherwise: past check sums that nobody guesses."""
    checkpoint(_with_pickle(data))


def _with_pickle(data: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("archive/data.pkl", data)
        for name, content in _records().items():
            archive.writestr(name, content)
    return packed.getvalue()


@cache
def small_checkpoint() -> bytes:
    """A whole checkpoint of few bytes."""
    network = build_network("qnetwork", 72, 5, 8, 8, hidden=[2], generator=torch.Generator().manual_seed(0))
    metadata = CheckpointMetadata(network_type="qnetwork")
    return encode_checkpoint(Checkpoint(network=network, metadata=metadata))


@cache
def _records() -> dict[str, bytes]:
    """Its records but for the pickle."""
    with zipfile.ZipFile(io.BytesIO(small_checkpoint())) as archive:
        return {
            "archive/" + name.partition("/")[2]: archive.read(name)
            for name in archive.namelist()
            if not name.endswith("data.pkl")
        }


def seeds() -> dict[str, list[bytes]]:
    """Something sound for each target to begin from."""
    whole = small_checkpoint()
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        name = next(name for name in archive.namelist() if name.endswith("data.pkl"))
        pickle = archive.read(name)
    order = b'{"command":"start_training","num_episodes":3,"network_type":"dueling","seed":null}'
    return (
        {
            "commands": [
                b'{"command":"set_speed","speed":1.5}',
                b'{"type":"control","command":"play"}',
                order,
            ],
            "checkpoints": [whole],
            "pickles": [pickle],
        }
        | file_targets.seeds()
        | written_targets.seeds()
        | shared_targets.seeds()
    )


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    "commands": command,
    "checkpoints": checkpoint,
    "pickles": pickled,
    **file_targets.TARGETS,
    **written_targets.TARGETS,
    **shared_targets.TARGETS,
}
"""Every target by the name of its corpus."""
