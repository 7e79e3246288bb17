"""What the tests of training share: small runs, records of episodes, a server and its viewers."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
import torch
import trio

from hamlet_trio.agent.models import ModelFolder
from hamlet_trio.history import HistoryWriter
from hamlet_trio.protocol.episode import EpisodeComplete
from hamlet_trio.protocol.errors import CloseCode
from hamlet_trio.protocol.parameters import TrainingParameters
from hamlet_trio.settings import Settings
from hamlet_trio.training import TrainingService, serve_viewer
from hamlet_trio.training.trainer_process import COMMAND


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """As the trainer has it, so that sums come out the same."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def parameters() -> TrainingParameters:
    """A run of a few short episodes that learns in its last one."""
    return TrainingParameters(
        num_episodes=6,
        batch_size=8,
        buffer_capacity=100,
        show_every=1000,
        step_delay=0,
        network_type="qnetwork",
        seed=7,
        checkpoint_every=4,
        max_steps=20,
    )


@pytest.fixture
def record() -> Callable[[int], EpisodeComplete]:
    """Makes the record of an episode."""

    def make(episode: int) -> EpisodeComplete:
        return EpisodeComplete(
            episode=episode,
            reward=-float(episode),
            length=episode,
            loss=0.5,
            epsilon=0.1,
            avg_reward_5=0.0,
            avg_length_5=0.0,
            avg_loss_5=0.0,
            buffer_size=1,
            failure_reason="mood_depleted" if episode % 2 else None,
            steps_per_second=100.0,
        )

    return make


class Line:
    """A connection without a socket: what the client sends waits for the server, and the other way round."""

    def __init__(self) -> None:
        self.to_server, self._commands = trio.open_memory_channel[str | bytes | None](1000)
        self._texts, self.from_server = trio.open_memory_channel[str](1000)

    async def receive(self) -> str | bytes | None:
        return await self._commands.receive()

    async def send(self, text: str) -> None:
        await self._texts.send(text)

    def send_nowait(self, text: str) -> bool:
        try:
            self._texts.send_nowait(text)
        except trio.WouldBlock:
            return False
        return True


class Client:
    """A viewer as it looks from outside: sends commands, reads messages."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self.seen: list[Any] = []
        self.code: CloseCode | None = None
        self.gone = trio.Event()
        self.leave: trio.CancelScope = trio.CancelScope()

    async def send(self, command: str, **fields: Any) -> None:
        await self._line.to_server.send(msgspec.json.encode({"command": command, **fields}).decode())

    async def send_raw(self, frame: str | bytes | None) -> None:
        await self._line.to_server.send(frame)

    async def read(self) -> Any:
        """The next message."""
        message = msgspec.json.decode(await self._line.from_server.receive())
        self.seen.append(message)
        return message

    async def until(self, kind: str, **fields: Any) -> Any:
        """Read until a message of this type with these fields."""
        while True:
            message = await self.read()
            if message["type"] == kind and all(message[name] == value for name, value in fields.items()):
                return message

    async def until_state(self, state: str) -> Any:
        """Read until the run is in this state."""
        return await self.until("training_status", state=state)

    def kinds(self) -> list[str]:
        """The types of all messages read so far, but for frames and status."""
        quiet = ("state_update", "training_status")
        return [message["type"] for message in self.seen if message["type"] not in quiet]


class Server:
    """A training service with viewers, as the web server runs it."""

    def __init__(self, nursery: trio.Nursery, settings: Settings, command: Sequence[str]) -> None:
        self.settings = settings
        self.history = HistoryWriter(settings)
        models = ModelFolder(settings.models_dir)
        self.service = TrainingService(settings, models, self.history, command=command)
        self.draining = trio.Event()
        self._nursery = nursery

    async def connect(self, line: Line | None = None) -> Client:
        """A new viewer."""
        line = line or Line()
        client = Client(line)

        async def serve() -> None:
            with client.leave:
                client.code = await serve_viewer(
                    self.service, line, session_id="test", settings=self.settings, draining=self.draining
                )
            client.gone.set()

        self._nursery.start_soon(serve)
        return client

    def trainers(self) -> list[psutil.Process]:
        """The trainer processes there are."""
        return [child for child in psutil.Process().children() if "-m" in child.cmdline()]


@asynccontextmanager
async def serve_training(settings: Settings, command: Sequence[str] = COMMAND) -> AsyncIterator[Server]:
    """A server for as long as the context lasts; then it is shut down, and no trainer may be left."""
    with trio.fail_after(120):
        async with trio.open_nursery() as lasting:
            async with trio.open_nursery() as nursery:
                server = Server(nursery, settings, command)
                await lasting.start(server.history.run)
                await nursery.start(server.service.run)
                yield server
                nursery.cancel_scope.cancel()
            lasting.cancel_scope.cancel()
    assert not server.trainers()


@pytest.fixture
def serving() -> Callable[..., AbstractAsyncContextManager[Server]]:
    """`serve_training`, for tests."""
    return serve_training


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The settings of a server with folders of its own."""
    return Settings(
        models_dir=str(tmp_path / "models"), data_dir=str(tmp_path / "data"), device="cpu", shutdown_grace=60
    )
