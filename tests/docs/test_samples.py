"""Every program of the documentation runs and does what its page says."""

import json
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import trio
from trio_websocket import WebSocketRequest, open_websocket_url, serve_websocket

from bench.leaderboard.contest import ENVIRONMENTS, score
from bench.server import running_server
from hamlet_trio.agent.names import NetworkType
from hamlet_trio.agent.networks import OptionsNetwork, build_network
from hamlet_trio.exchange.comparison import observations_of, q_values
from hamlet_trio.world import WorldConfig
from scripts.doc_tables.pages import DOCS, REPOSITORY
from tests.docs.reading import EVERY_PAGE
from tests.patience import PATIENCE
from tests.ports import free_port

SAMPLES = DOCS / "samples"


def run_sample(name: str, *arguments: str, warnings: str = "error") -> str:
    """Run a sample, which must succeed and write nothing to standard error; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", warnings, SAMPLES / name, *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


async def send(address: str, command: dict[str, str]) -> None:
    """Send one command over a connection of its own, after the greeting."""
    async with open_websocket_url(address) as socket:
        await socket.get_message()
        await socket.send_message(json.dumps(command))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty models folder."""
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def port(models: Path) -> Iterator[int]:
    """A real server's port."""
    with running_server(models_dir=str(models), data_dir=str(models / "data")) as port:
        yield port


@pytest.fixture(scope="module")
def trained(port: int, models: Path) -> tuple[Path, str]:
    """The model that the sample for training leaves behind, and what it printed."""
    printed = run_sample("train.py", f"ws://127.0.0.1:{port}/ws/training", "3")
    return models / "data" / "models" / "trained_agent.pt", printed


def test_train(trained: tuple[Path, str]) -> None:
    model, printed = trained
    lines = printed.splitlines()
    assert [line.split()[0] for line in lines] == ["1", "2", "3", "saved"]
    assert model.is_file()


def test_train_ends_with_a_sentence_when_somebody_stops_the_run(port: int) -> None:
    address = f"ws://127.0.0.1:{port}/ws/training"
    command = [sys.executable, "-u", str(SAMPLES / "train.py"), address, "10000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("1 ")
        trio.run(send, address, {"command": "stop"})
        printed = process.communicate(timeout=PATIENCE)[0].splitlines()
    assert process.returncode == 0
    assert printed[-1].startswith("stopped: ")


def test_train_says_why_a_run_is_refused(port: int) -> None:
    printed = run_sample("train.py", f"ws://127.0.0.1:{port}/ws/training", "0")
    assert "num_episodes" in printed


@pytest.mark.parametrize("name", ["watch.py", "compact_frames.py", "train.py", "own_rule.py"])
def test_a_client_without_a_server_ends_with_a_sentence(name: str) -> None:
    assert run_sample(name, f"ws://127.0.0.1:{free_port()}/ws").startswith("The connection ended: ")


@pytest.mark.parametrize("name", ["watch.py", "compact_frames.py", "train.py", "own_rule.py"])
def test_a_client_whose_server_closes_the_connection_ends_with_a_sentence(name: str) -> None:
    async def close(request: WebSocketRequest) -> None:
        socket = await request.accept()
        await socket.get_message()
        await socket.aclose(1012, "the server is shutting down")

    async def main() -> str:
        async with trio.open_nursery() as nursery:
            server = await nursery.start(serve_websocket, close, "127.0.0.1", 0, None)
            address = f"ws://127.0.0.1:{server.port}/"
            # trio-websocket leaves it to the garbage collector to close the socket of a closed connection.
            run = partial(run_sample, name, address, warnings="default::DeprecationWarning")
            printed = await trio.to_thread.run_sync(run)
            nursery.cancel_scope.cancel()
        return printed

    printed = trio.run(main)
    assert printed.startswith("The connection ended: ")
    assert "1012" in printed


def test_watch(port: int, trained: tuple[Path, str]) -> None:
    command = [sys.executable, "-u", str(SAMPLES / "watch.py"), f"ws://127.0.0.1:{port}/ws"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines: list[str] = []
        begun = 0
        while begun < 2 or not lines[-1].startswith("4 "):
            lines.append(process.stdout.readline())
            assert lines[-1], "the sample ended"
            begun += lines[-1].startswith("0 ")
        process.terminate()
    steps = [int(line.split()[0]) for line in lines]
    # Frames of the session's first episode until the model is loaded, then those of the model's own.
    second = steps.index(0, 1)
    assert steps == [*range(second), *range(5)]
    meters = json.loads(lines[-1].split(maxsplit=1)[1].replace("'", '"'))
    assert set(meters) == {"energy", "hygiene", "satiation", "money", "mood", "social"}


def test_watch_says_why_a_model_cannot_be_loaded(port: int) -> None:
    printed = run_sample("watch.py", f"ws://127.0.0.1:{port}/ws", "nothing.pt")
    assert "nothing.pt" in printed.splitlines()[-1]


def test_compact_frames(port: int) -> None:
    *lines, size = run_sample("compact_frames.py", f"ws://127.0.0.1:{port}/ws", "9").splitlines()
    assert [int(line.split()[0]) for line in lines] == list(range(9))
    assert int(size.split()[0]) < 600  # one full frame among nine


def test_own_rule(port: int) -> None:
    printed = run_sample("own_rule.py", f"ws://127.0.0.1:{port}/ws")
    # docs/world.md states both numbers.
    assert printed.splitlines()[-1] == "lived 500 steps, return 842.9"


@pytest.mark.long
def test_sweep(tmp_path: Path) -> None:
    printed = run_sample("sweep.py", "1", str(tmp_path)).splitlines()
    assert [line.partition(":")[0] for line in printed[:4]] == [f"seed {seed}" for seed in (1, 2, 3, 4)]
    assert (tmp_path / "models" / printed[-1].removeprefix("the best model is ")).is_file()


def test_use_checkpoint(trained: tuple[Path, str]) -> None:
    assert re.fullmatch(
        r"options: lived [1-9]\d* steps, last did \w+\n", run_sample("use_checkpoint.py", str(trained[0]))
    )


@pytest.mark.parametrize("network_type", ["qnetwork", "dueling", "egocentric", "options"])
def test_plain_forward(network_type: NetworkType) -> None:
    network = build_network(network_type, 72, 5, 8, 8, generator=torch.Generator().manual_seed(1))
    if isinstance(network, OptionsNetwork):
        network.set_places(WorldConfig(affordances=WorldConfig().affordances[:7]))
    observations = observations_of(WorldConfig())
    forward = runpy.run_path(str(SAMPLES / "plain_forward.py"))["FORWARD"][network_type]
    with torch.inference_mode():
        found = forward(network.state_dict(), torch.from_numpy(observations), 8, 8).numpy()
    np.testing.assert_allclose(found, q_values(network, observations), atol=1e-5)


def test_plain_forward_as_a_program() -> None:
    assert run_sample("plain_forward.py", "models/trained_agent.pt").startswith("tensor([[")


def test_train_in_python(tmp_path: Path) -> None:
    first, last = run_sample("train_in_python.py", str(tmp_path / "out.pt"), "10").splitlines()
    assert re.match(r"10: \d+ steps, return -?[\d.]+", first)
    assert re.match(r"\d+ steps learnt from; lives \d+ steps from random starts", last)


def test_gymnasium_random() -> None:
    printed = run_sample("gymnasium_random.py")
    assert re.match(r"\d+ steps, return -?[\d.]+, ended by \w+\nobservation \(72,\) float32", printed)


def test_vector_env() -> None:
    printed = run_sample("vector_env.py")
    assert re.match(r"\(64, 72\) observations, [1-9]\d* episodes ended", printed)


def test_score() -> None:
    """It plays the leaderboard's episodes by the leaderboard's rules."""
    printed = dict(re.findall(r"(\S+): survives ([\d.]+) of 500 steps", run_sample("score.py")))
    generator = np.random.default_rng(1)
    for environment in ENVIRONMENTS:
        expected = score(lambda seen: generator.integers(5, size=len(seen)), environment)
        assert printed[environment] == f"{expected.survival:.1f}"


def test_pettingzoo_agents() -> None:
    lines = run_sample("pettingzoo_agents.py").splitlines()
    assert [line.split(":")[0] for line in lines] == ["agent_0", "agent_1", "agent_2"]


def test_many_worlds() -> None:
    printed = run_sample("many_worlds.py")
    mean = float(re.findall(r"[\d.]+", printed)[0])
    assert 72 < mean < 78  # docs/world.md says 75


def test_configured_world() -> None:
    shapes, used, refusal = run_sample("configured_world.py").splitlines()
    assert shapes == "(4, 2, 2) (4, 2, 6) (4, 2)"
    assert used == "used: Lake mood: [59.9 79.9]"
    assert refusal.startswith("`max_steps` must be a whole number from 1")


def test_every_sample_is_run_here_and_named_on_a_page() -> None:
    for sample in SAMPLES.glob("*.py"):
        assert f"def test_{sample.stem}" in Path(__file__).read_text(encoding="utf-8")
        assert f"samples/{sample.name}" in EVERY_PAGE


def test_the_client_of_the_quick_start_is_short() -> None:
    lines = (SAMPLES / "watch.py").read_text(encoding="utf-8").splitlines()
    assert len([line for line in lines if line.strip()]) <= 18
