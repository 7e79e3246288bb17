"""A training service with viewers, as the web server runs it, but without sockets."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec
import psutil
import trio

from hamlet_trio.agent.models import ModelFolder
from hamlet_trio.connection import ReadBatch, Transport
from hamlet_trio.history import HistoryWriter
from hamlet_trio.protocol.errors import CloseCode
from hamlet_trio.protocol.parameters import TrainingParameters
from hamlet_trio.settings import Settings
from hamlet_trio.training import TrainingService, serve_viewer
from hamlet_trio.training.trainer_process import COMMAND
from tests.patience import PATIENCE

if TYPE_CHECKING:
    from hamlet_trio.shared import SharedRun

# More episodes than any test waits for, so that the run is on until it is stopped.
ENDLESS: Final = {
    "num_episodes": 100_000, "checkpoint_every": 100_000, "show_every": 100_000, "step_delay": 0
}  # fmt: skip


def plain(parameters: TrainingParameters, **changes: Any) -> dict[str, Any]:
    """The fields of `start_training`."""
    fields: dict[str, Any] = msgspec.to_builtins(parameters)
    return fields | changes


def model_of(settings: Settings) -> Path:
    """The model of the last finished run."""
    return Path(settings.data_dir) / "models" / "trained_agent.pt"


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

    def take_with(self, take: Callable[[str], bool], batch: ReadBatch) -> None:
        pass


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
        """The types of all messages read so far, but for frames, status and forecasts."""
        quiet = ("state_update", "training_status", "training_forecast")
        return [message["type"] for message in self.seen if message["type"] not in quiet]


class Server:
    """A training service with viewers, as the web server runs it."""

    def __init__(
        self,
        nursery: trio.Nursery,
        settings: Settings,
        command: Sequence[str],
        shared: "SharedRun | None" = None,
    ) -> None:
        self.settings = settings
        self.history = HistoryWriter(settings)
        models = ModelFolder.of(models_dir=settings.models_dir, data_dir=settings.data_dir)
        self.service = TrainingService(settings, models, self.history, command=command, shared=shared)
        self.draining = trio.Event()
        self._nursery = nursery

    async def connect(self, transport: Transport | None = None) -> Client:
        """A new viewer."""
        line = Line()
        client = Client(line)

        async def serve() -> None:
            with client.leave:
                client.code = await serve_viewer(
                    self.service,
                    transport or line,
                    session_id="test",
                    settings=self.settings,
                    draining=self.draining,
                )
            client.gone.set()

        self._nursery.start_soon(serve)
        return client

    def trainers(self) -> list[psutil.Process]:
        """The trainer processes there are."""
        return [child for child in psutil.Process().children() if "-m" in child.cmdline()]


@asynccontextmanager
async def serve_training(
    settings: Settings,
    command: Sequence[str] = COMMAND,
    *,
    early: bool = False,
    shared: "SharedRun | None" = None,
) -> AsyncIterator[Server]:
    """A server for as long as the context lasts; then it is shut down, and no trainer may be left.

    An `early` one can be connected to before its service has started.
    """
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as lasting:
            async with trio.open_nursery() as nursery:
                server = Server(nursery, settings, command, shared)
                await lasting.start(server.history.run)
                if early:
                    nursery.start_soon(server.service.run)
                else:
                    await nursery.start(server.service.run)
                yield server
                nursery.cancel_scope.cancel()
            lasting.cancel_scope.cancel()
    assert not server.trainers()


Serving: TypeAlias = Callable[..., AbstractAsyncContextManager[Server]]
