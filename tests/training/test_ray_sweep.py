"""Sweeps on a real Ray cluster: each episode once, weights as alone, and an orderly end of whatever dies."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest
import trio

from hamlet_trio.history import HistoryReader, HistoryWriter, history_path
from hamlet_trio.history.queries import EpisodesQuery, RunsQuery
from hamlet_trio.logs import get_logger
from hamlet_trio.protocol.sweeps import SweepTrial
from hamlet_trio.training.local_run import train_to_file
from hamlet_trio.training.sweep.ray_cluster import DRIVER, RayClusterError, RayExecutor, run_on_ray
from hamlet_trio.training.sweep.sweep_run import open_sweep
from tests.patience import PATIENCE
from tests.ports import free_port
from tests.training.local_runs import folders
from tests.training.ray_server import RayServer, ray_server
from tests.training.test_sweep import EPISODES, planned


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayServer]:
    with ray_server(cores=2) as server:
        yield server


@pytest.mark.long
async def test_a_worker_of_ray_that_is_killed_costs_no_episode_and_changes_no_weight(
    cluster: RayServer, tmp_path: Path
) -> None:
    seeds = 8
    settings = folders(tmp_path)
    trials = planned(tmp_path, seeds=list(range(1, seeds + 1)))
    history, log = HistoryWriter(settings), get_logger(service="test")
    killed: list[int] = []
    told: dict[int, list[int]] = {}

    def note(trial: SweepTrial) -> None:
        heard = told.setdefault(trial.trial, [])
        if trial.state == "running" and trial.episode:
            heard.append(trial.episode)
            if trial.trial == 1 and trial.episode == 3 and not killed:
                worker = cluster.trainer_of(trial.run_id)
                worker.kill()
                killed.append(worker.pid)

    sweep = open_sweep(trials, settings, jobs=seeds, history=history, on_change=note, log=log)
    command = ("env", f"HOME={cluster.environment['HOME']}", *cluster.inside, *DRIVER)
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            await nursery.start(history.run)
            await run_on_ray(cluster.address, sweep.run, log=log, command=command)
            nursery.cancel_scope.cancel()
    status = sweep.status()
    assert len(killed) == 1
    assert status.state == "complete"
    reader = HistoryReader(history_path(settings))
    assert len(reader.runs(RunsQuery(sweep=status.sweep_id))) == seeds
    for one, plan in zip(status.trials, trials, strict=True):
        assert one.state == "complete", one.reason
        everything = list(range(1, EPISODES + 1))
        assert told[one.trial] == everything, "each episode is told once"
        assert [each.episode for each in one.evaluations] == everything
        assert [each.episode for each in reader.episodes(one.run_id, EpisodesQuery())] == everything
        alone = train_to_file(plan.parameters, folders(tmp_path / "alone"))
        assert alone.model is not None
        models = Path(settings.data_dir) / "models"
        assert (models / str(one.model)).read_bytes() == alone.model.read_bytes()
    assert cluster.trials() == []


async def refusal(address: str, *inside: str, driver: Sequence[str] = DRIVER) -> str:
    """Why no sweep begins at this address."""

    async def work(executor: RayExecutor) -> None:
        pytest.fail(f"it is connected to {executor.nodes} nodes")

    with trio.fail_after(PATIENCE), pytest.raises(RayClusterError) as refused:
        await run_on_ray(address, work, log=get_logger(service="test"), command=(*inside, *driver))
    return str(refused.value)


# An import of a name that is None in sys.modules fails as if nothing of that name were installed.
WITHOUT_RAY = """
import sys; sys.modules["ray"] = None
from hamlet_trio.training.sweep.ray_driver import main; sys.exit(main())
"""


async def test_where_no_cluster_is_or_no_ray_a_sentence_says_what_to_do() -> None:
    address = f"127.0.0.1:{free_port()}"
    said = await refusal(address)
    assert said.startswith(f"No Ray cluster listens at {address} (")
    assert said.endswith("start one with `ray start --head`.")
    said = await refusal("auto", driver=(sys.executable, "-c", WITHOUT_RAY))
    assert said == "Ray is not installed; pip install 'hamlet-trio[ray]' on every node."


@pytest.mark.long
def test_what_is_no_ray_or_wants_a_token_is_refused(cluster: RayServer, tmp_path: Path) -> None:
    with subprocess.Popen(
        [*cluster.inside, sys.executable, "-c", LISTENER], stdout=subprocess.PIPE, text=True
    ) as mute:
        assert mute.stdout is not None
        said = trio.run(refusal, f"127.0.0.1:{mute.stdout.readline().strip()}", *cluster.inside)
        mute.kill()
    assert "did not answer within 10 s" in said
    token = tmp_path / "token"
    token.write_text("0" * 64)
    with ray_server(1, RAY_AUTH_MODE="token", RAY_AUTH_TOKEN_PATH=str(token)) as guarded:
        plain = ("env", "-u", "RAY_AUTH_MODE", f"HOME={tmp_path}", *guarded.inside)
        assert "RAY_AUTH_MODE=token" in trio.run(refusal, guarded.address, *plain)


LISTENER = """
import signal, socket
listening = socket.create_server(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
signal.pause()
"""


class Command:
    """`hamlet sweep --ray` as a person starts it, of six trials on two cores."""

    def __init__(self, cluster: RayServer, folder: Path) -> None:
        own = {"HAMLET_DATA_DIR": str(folder / "data"), "HAMLET_MODELS_DIR": str(folder)}
        options = ["--seeds", "1-6", "--episodes", "30", "--set", "network_type=qnetwork"]
        options += ["--set", "max_steps=20", "--set", "batch_size=8", "--ray", cluster.address, "--json"]
        self.process = subprocess.Popen(
            [*cluster.inside, sys.executable, "-m", "hamlet_trio.cli", "sweep", *options],
            env=cluster.environment | own,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def line(self) -> Any:
        """The next line that it prints."""
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def until(self, state: str) -> str:
        """Wait until a trial has come to this state; the id of its run."""
        while True:
            for trial in self.line()["trials"]:
                if trial["state"] == state:
                    return str(trial["run_id"])

    def ended(self) -> tuple[int, list[Any], str]:
        """Its exit code, what it printed since, and its errors."""
        output, errors = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, [json.loads(line) for line in output.splitlines()], errors


def wait_for_no_trials(cluster: RayServer) -> float:
    """Wait until no trial is trained any more; the seconds that took."""
    began = time.monotonic()
    while cluster.trials():
        assert time.monotonic() - began < PATIENCE, "trials outlive their sweep"
        time.sleep(0.05)  # a worker outlives its trial, and only its title tells
    return time.monotonic() - began


@pytest.mark.long
def test_an_interrupted_sweep_on_ray_ends_in_order_and_makes_what_is_missing(
    cluster: RayServer, tmp_path: Path
) -> None:
    command = Command(cluster, tmp_path)
    # A trial that stands still keeps the sweep from being complete before the signal arrives.
    cluster.trainer_of(command.until("running")).suspend()
    command.until("complete")
    command.process.send_signal(signal.SIGINT)
    code, lines, errors = command.ended()
    assert (code, errors) == (0, "")
    assert lines[-1]["state"] == "interrupted"
    states = [trial["state"] for trial in lines[-1]["trials"]]
    assert set(states) == {"complete", "waiting"}
    wait_for_no_trials(cluster)
    assert cluster.left_behind() == []

    again = Command(cluster, tmp_path)
    first = again.line()
    assert first["sweep_id"] == lines[-1]["sweep_id"]
    assert [trial["state"] for trial in first["trials"]] == states
    code, lines, errors = again.ended()
    assert (code, errors) == (0, "")
    assert {trial["state"] for trial in lines[-1]["trials"]} == {"complete"}


@pytest.mark.long
@pytest.mark.parametrize("victim", ["sweep", "driver"])
def test_whichever_process_of_a_sweep_is_killed_its_trials_end_too(
    victim: str, cluster: RayServer, tmp_path: Path
) -> None:
    command = Command(cluster, tmp_path)
    command.until("running")
    (driver,) = psutil.Process(command.process.pid).children()
    if victim == "sweep":
        command.process.kill()
        command.ended()
        driver.wait(PATIENCE)
    else:
        driver.kill()
        code, _, errors = command.ended()
        assert code == 1
        assert errors.startswith("hamlet: The driver of Ray was ended by SIGKILL")
    wait_for_no_trials(cluster)


@pytest.mark.long
def test_a_cluster_that_is_gone_ends_the_sweep_with_a_sentence(tmp_path: Path) -> None:
    with ray_server(cores=2) as doomed:
        command = Command(doomed, tmp_path)
        command.until("running")
        doomed.kill()
        code, lines, errors = command.ended()
    # Ray itself would say something else, a minute later.
    assert errors == f"hamlet: The head of the Ray cluster at {doomed.address} is gone.\n"
    assert (code, lines[-1]["state"]) == (1, "interrupted")
