"""Write networks as ONNX files, for programs without torch."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from hamlet_trio.agent.checkpoint import Checkpoint
from hamlet_trio.common.files import write_atomically
from hamlet_trio.exchange.comparison import ExchangeError, check_equal, observations_of
from hamlet_trio.world import WorldConfig

INPUT: Final = "observations"
"""The input, (n, observation_size) float32."""
OUTPUT: Final = "q_values"
"""The output, (n, 5) float32."""


def write_onnx(checkpoint: Checkpoint, path: str | Path, config: WorldConfig) -> float:
    """Write a checkpoint's network for any number of rows; return the largest difference of Q-values.

    The file is written once it was seen to give the network's Q-values, computed by ONNX's own reference
    implementation.

    Raises `ExchangeError` if the extra `onnx` is not installed or the Q-values differ, and `OSError` if the
    file cannot be written.
    """
    path = Path(path)
    try:
        import onnx  # noqa: PLC0415  # an extra
        import onnxscript  # noqa: F401, PLC0415  # what torch exports with
        from onnx.reference import ReferenceEvaluator  # noqa: PLC0415
    except ImportError as error:
        raise ExchangeError("ONNX is not installed; pip install 'hamlet-trio[onnx]'.") from error
    network = checkpoint.network
    example = torch.from_numpy(observations_of(config, 2))
    shapes: Any = ({0: torch.export.Dim("n")},)  # of the inputs in order
    with torch.no_grad(), _quiet():
        network(example)  # what is computed once and kept must not be computed in the export
        program = torch.onnx.export(
            network,
            (example,),
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=shapes,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    onnx.checker.check_model(model, full_check=True)
    evaluator = ReferenceEvaluator(model)

    def evaluate(rows: NDArray[np.float32]) -> NDArray[np.float32]:
        outputs: Any = evaluator.run([OUTPUT], {INPUT: rows})
        values: NDArray[np.float32] = outputs[0]
        return values

    difference = check_equal(network, config, evaluate, "The ONNX file")
    write_atomically(path, model.SerializeToString())
    return difference


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the exporter's remarks on its own parts within the block."""
    exporter = logging.getLogger("torch.onnx")
    level = exporter.level
    exporter.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        exporter.setLevel(level)
