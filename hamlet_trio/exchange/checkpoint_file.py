"""Write networks as models of Hamlet."""

import dataclasses
from pathlib import Path

import msgspec

from hamlet_trio.agent.checkpoint import Checkpoint, encode_checkpoint, parse_checkpoint
from hamlet_trio.common.files import write_atomically
from hamlet_trio.exchange.comparison import check_equal, q_values
from hamlet_trio.world import WorldConfig


def write_checkpoint(
    checkpoint: Checkpoint, path: str | Path, config: WorldConfig, title: str | None
) -> float:
    """Write a checkpoint, with a title if there is one; return the largest difference of Q-values.

    Raises `ExchangeError` if what was written would give other Q-values, and `OSError` if the file cannot be
    written.
    """
    path = Path(path)
    if title is not None:
        metadata = msgspec.structs.replace(checkpoint.metadata, title=title)
        checkpoint = dataclasses.replace(checkpoint, metadata=metadata)
    data = encode_checkpoint(checkpoint)
    read_back = parse_checkpoint(data, path.name)
    difference = check_equal(
        checkpoint.network, config, lambda rows: q_values(read_back.network, rows), "The model"
    )
    write_atomically(path, data)
    return difference
