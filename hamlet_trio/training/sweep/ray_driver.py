"""The driver of a sweep on a Ray cluster (`python -m hamlet_trio.training.sweep.ray_driver ADDRESS`).

It is a process of its own because Ray takes over signals, starts some thirty threads, and blocks in every
call. Whoever starts it orders trials over a pipe, and ends it by closing that. When it ends, however that
comes about, Ray ends the trials that it began. It connects to a cluster that is there, and never starts one.
"""

import os
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NoReturn

import msgspec

from hamlet_trio.agent.models import run_models_path
from hamlet_trio.common.files import write_atomically
from hamlet_trio.common.text import printable
from hamlet_trio.training.link import LinkError, MessageKind, PipeReader
from hamlet_trio.training.orders import BeginOrder, EndedReport, FailedReport, decode_report, encode_control
from hamlet_trio.training.pipes import MessageWriter, complain, take_over_pipes
from hamlet_trio.training.sweep.driver_messages import (
    ConnectedReport,
    RefusedReport,
    TrialOverReport,
    TrialReport,
    decode_begin,
)
from hamlet_trio.training.sweep.ray_trial import Part, train_trial, versions

MAX_RETRIES: Final = 3
"""How often Ray begins a trial again whose worker or node died."""
PATIENCE: Final = 10.0
"""Seconds within which the cluster must have answered; by itself Ray tries for up to 40."""
_FAREWELL: Final = 3.0  # seconds for the workers to hear that their trials are cancelled
_PAUSE: Final = 1.0  # seconds between two connections to the head
_SILENCE: Final = (5, 2, 3)  # seconds until the head is asked for a sign of life, between tries, and tries
_ENVIRONMENT: Final = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",  # what this process tells is a sentence, and not Ray's log
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",  # a trial that asks for no GPU sees none
}


class ClusterError(Exception):
    """The cluster cannot be used; the message is a sentence."""


def connect(address: str, limit: threading.Timer) -> ConnectedReport:
    """Connect this process to a standing cluster, and start the `limit` meanwhile; raises `ClusterError`."""
    _reach(address)
    os.environ.update(_ENVIRONMENT)
    try:
        import ray  # noqa: PLC0415
        from ray.exceptions import AuthenticationError  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ClusterError("Ray is not installed; pip install 'hamlet-trio[ray]' on every node.") from error
    limit.start()
    # Ray would look for modules in the folder of this process, also on other nodes.
    os.chdir(tempfile.gettempdir())
    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR", namespace="hamlet")
        nodes = [node for node in ray.nodes() if node["Alive"]]
        cores = int(ray.cluster_resources().get("CPU", 0))
    except AuthenticationError as error:
        raise ClusterError(
            f"The Ray cluster at {address} refuses this process: set RAY_AUTH_MODE=token, and "
            "RAY_AUTH_TOKEN_PATH to the file with its token."
        ) from error
    except (ConnectionError, OSError, RuntimeError, ValueError) as error:
        raise ClusterError(_why_not(address, str(error))) from error
    if cores < 1:
        raise ClusterError(f"The Ray cluster at {address} has no core: join a node with `ray start`.")
    return ConnectedReport(len(nodes), cores)


def _reach(address: str) -> None:
    """Find out at once whether anything listens there; raises `ClusterError`."""
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), PATIENCE):
            pass
    except OSError as error:
        raise ClusterError(
            f"No Ray cluster listens at {address} ({error.strerror or error}); start one with "
            "`ray start --head`."
        ) from error


def _why_not(address: str, error: str) -> str:
    if "Version mismatch" in error:
        return (
            f"The Ray cluster at {address} runs another version of Ray or Python than this machine: "
            f"{_one_line(error)}"
        )
    if address == "auto":
        return (
            "No Ray cluster runs on this machine; start one with `ray start --head`, join one with "
            "`ray start --address=HOST:PORT`, or give its address."
        )
    return (
        f"The Ray cluster at {address} cannot be used: {_one_line(error)} "
        "This machine must be a node of it: `ray start --address=HOST:PORT --num-cpus=0` makes it one."
    )


def _one_line(error: str) -> str:
    return printable(" ".join(error.split()), 300)


class Driver:
    """Follow the trials that are on, each in a thread, and tell what they yield."""

    def __init__(self, writer: MessageWriter) -> None:
        self._writer = writer
        self._trials: list[tuple[threading.Thread, Any]] = []
        self._is_ending = False

    def begin(self, begin: BeginOrder) -> None:
        """Have Ray train a trial, once it has a free core for it."""
        import ray  # noqa: PLC0415

        task = ray.remote(train_trial).options(
            num_cpus=1,
            num_gpus=1 if begin.settings.device == "cuda" else 0,
            max_retries=MAX_RETRIES,
            num_returns="streaming",
            name=f"hamlet-trial-{begin.run_id}",
        )
        parameters = msgspec.json.encode(begin.parameters)
        parts = task.remote(begin.run_id, parameters, begin.settings.device, versions())
        thread = threading.Thread(target=self._follow, args=(begin, parts), daemon=True)
        self._trials.append((thread, parts))
        thread.start()

    def end(self) -> None:
        """Cancel the trials that are on, and give their workers a moment to hear of it."""
        import ray  # noqa: PLC0415

        self._is_ending = True
        for thread, parts in self._trials:
            if thread.is_alive():
                with suppress(Exception):  # the cluster may be gone
                    ray.cancel(parts)
        until = time.monotonic() + _FAREWELL
        for thread, _ in self._trials:
            thread.join(max(0.0, until - time.monotonic()))

    def _follow(self, begin: BeginOrder, parts: Iterable[Any]) -> None:
        """Tell what one trial yields, and that it is over, however that comes about."""
        import ray  # noqa: PLC0415
        from ray.exceptions import LocalRayletDiedError, RayError, RayTaskError  # noqa: PLC0415

        try:
            self._receive(begin, (ray.get(reference) for reference in parts))
        except LocalRayletDiedError:
            _refuse(self._writer, "This machine's node of the Ray cluster is gone.")
        except RayTaskError as error:
            cause = printable(repr(error.cause or error), 300)
            self._fail(begin, f"The trial failed on its node: {cause}.")
        except RayError as error:
            if not self._is_ending:
                self._fail(begin, f"Ray gave the trial up: {_one_line(str(error))}")
        except Exception as error:  # whatever else Ray raises; a trial without an end would wait for ever
            self._fail(begin, f"The trial could not be followed: {_one_line(repr(error))}.")
        self._writer.report(TrialOverReport(begin.run_id))

    def _receive(self, begin: BeginOrder, parts: Iterable[Part]) -> None:
        """Pass on what a trial yields; write its model into its own folder."""
        model: bytes | None = None
        for kind, payload in parts:
            if kind == "model":
                model = payload
                continue
            if kind == MessageKind.CONTROL and model is not None:
                try:
                    _keep(model, begin, decode_report(payload))
                except OSError as error:
                    self._fail(begin, f"The model could not be kept: {error.strerror or error}.")
                    return
            self._tell(begin, (kind, payload))

    def _tell(self, begin: BeginOrder, part: Part) -> None:
        kind, payload = part
        assert kind != "model", "it is kept, not told"
        self._writer.report(TrialReport(begin.run_id, kind, payload))

    def _fail(self, begin: BeginOrder, reason: str) -> None:
        failed = encode_control(FailedReport(reason=reason, retry=False))
        self._tell(begin, (MessageKind.CONTROL.value, failed))


def _keep(model: bytes, begin: BeginOrder, report: Any) -> None:
    if isinstance(report, EndedReport) and report.model_saved is not None:
        folder = run_models_path(Path(begin.settings.with_native_paths().data_dir))
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / report.model_saved, model)


def _give_up(writer: MessageWriter, address: str) -> None:
    reason = (
        f"The Ray cluster at {address} did not answer within {PATIENCE:.0f} s. Is it one, is this "
        "machine a node of it (`ray status`), and does it want a token (RAY_AUTH_MODE=token, and "
        "RAY_AUTH_TOKEN_PATH with its file)?"
    )
    _refuse(writer, reason)


def _watch_head(writer: MessageWriter) -> None:
    """Give up as soon as the head of the cluster is gone, which Ray itself takes a minute to notice.

    Nothing is said on this connection. It breaks at once when the head's process ends, and after some seconds
    of silence when its machine has left the network. The head may close it too, so what counts is that no
    other one can be made.
    """
    import ray  # noqa: PLC0415

    address = ray.get_runtime_context().gcs_address
    host, _, port = address.rpartition(":")
    while True:
        try:
            with socket.create_connection((host.strip("[]"), int(port)), PATIENCE) as connection:
                connection.settimeout(None)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                for option, value in zip(("IDLE", "INTVL", "CNT"), _SILENCE, strict=True):
                    if hasattr(socket, f"TCP_KEEP{option}"):
                        connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, f"TCP_KEEP{option}"), value)
                with suppress(OSError):
                    while connection.recv(4096):
                        pass
            time.sleep(_PAUSE)
        except OSError:
            _refuse(writer, f"The head of the Ray cluster at {address} is gone.")


def _refuse(writer: MessageWriter, reason: str) -> NoReturn:
    """Tell why the cluster cannot be used any more, and end this process whatever its other threads do."""
    writer.report(RefusedReport(reason))
    writer.close()
    os._exit(1)


def main() -> int:
    """Serve one sweep; the exit code is 1 if the cluster cannot be used."""
    address = sys.argv[1]
    incoming, outgoing = take_over_pipes()
    writer, reader = MessageWriter(outgoing), PipeReader(incoming)
    limit = threading.Timer(PATIENCE, _give_up, (writer, address))
    limit.daemon = True
    try:
        writer.report(connect(address, limit))
    except ClusterError as error:
        writer.report(RefusedReport(str(error)))
        writer.close()
        return 1
    finally:
        limit.cancel()
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # Ray has set its own
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    threading.Thread(target=_watch_head, args=(writer,), daemon=True).start()
    driver = Driver(writer)
    try:
        while (message := reader.receive()) is not None:
            driver.begin(decode_begin(message.payload))
    except (LinkError, msgspec.DecodeError, OSError) as error:
        complain(f"the orders broke off: {error}")
    driver.end()
    writer.close()
    # Ray ends what is left, as when this process is killed; its own farewell may take longer.
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
