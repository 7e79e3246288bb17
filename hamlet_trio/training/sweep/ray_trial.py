"""One trial as a task of Ray, on whatever node Ray puts it."""

import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from secrets import token_hex
from tempfile import gettempdir
from typing import Any, Final, Literal

import msgspec

from hamlet_trio import __version__
from hamlet_trio.common.devices import DeviceName
from hamlet_trio.protocol.messages import encode_bytes
from hamlet_trio.protocol.parameters import TrainingParameters
from hamlet_trio.settings import Settings
from hamlet_trio.training.link import MessageKind
from hamlet_trio.training.orders import FailedReport, encode_control
from hamlet_trio.training.plan import RunPlan

Part = tuple[int | Literal["model"], bytes]
"""A message of the link, of this kind, or the file of the model."""

_PACKAGES: Final = ("torch", "numpy")


def versions() -> dict[str, str]:
    """Return the versions on which a trial's weights depend."""
    return {"hamlet-trio": __version__} | {name: version(name) for name in _PACKAGES}


def train_trial(
    run_id: str, parameters: bytes, device: DeviceName, expected: dict[str, str]
) -> Iterator[Part]:
    """Train one trial, with `parameters` as JSON, and yield what its trainer process would tell.

    Run again from the beginning, as Ray does when the node or the worker died, it yields as many parts, each
    of which says the same but for its times: so Ray can leave out those that were received. The model comes
    before the last message. Nothing but these arguments is sent to a node: no settings, and no secret.
    """
    if (found := versions()) != expected:
        yield _failure(_other_versions(expected, found))
        return
    import torch  # noqa: PLC0415

    from hamlet_trio.agent.update import DivergedError  # noqa: PLC0415
    from hamlet_trio.training.managed_run import StartError, open_run  # noqa: PLC0415
    from hamlet_trio.training.trainer import ended_report, started_report  # noqa: PLC0415

    torch.set_num_threads(1)
    plan = RunPlan(run_id, msgspec.json.decode(parameters, type=TrainingParameters), resume=False, file=None)
    # Only while a file is read or written is there a folder: nothing is left of a trial that Ray ends.
    folder = Path(gettempdir()) / f"hamlet-trial-{run_id}-{token_hex(4)}"
    settings = Settings(data_dir=str(folder), device=device, record_every=0, tensorboard=False)
    try:
        with _temporary(folder):
            managed = open_run(plan, settings)
        yield _control(started_report(managed))
        while not managed.run.finished:
            for complete in managed.step()[1]:
                yield MessageKind.EVENT.value, encode_bytes(complete)
    except (StartError, DivergedError) as error:
        yield _failure(str(error))
        return
    with _temporary(folder):
        result = managed.end("complete")
        model = None if result.model is None or result.problem else result.model.read_bytes()
    if model is not None:
        yield "model", model
    yield _control(ended_report(result))


@contextmanager
def _temporary(folder: Path) -> Iterator[None]:
    folder.mkdir()
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _control(report: Any) -> Part:
    return MessageKind.CONTROL.value, encode_control(report)


def _failure(reason: str) -> Part:
    return _control(FailedReport(reason=reason, retry=False))


def _other_versions(expected: dict[str, str], found: dict[str, str]) -> str:
    others = ", ".join(
        f"{name} {found[name]} instead of {wanted}"
        for name, wanted in expected.items()
        if found[name] != wanted
    )
    return f"The node {platform.node()} has {others}; install the same versions on every node."
