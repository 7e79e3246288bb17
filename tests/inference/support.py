"""What tests of inference share: models that behave as told, and a client at the other end of a session.

Time is a virtual clock that only `advance` moves, so nothing depends on how long a thread takes: a test waits
for the message it expects, and only then lets time go on.
"""

import math
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import torch
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from hamlet_trio.agent.checkpoint import Checkpoint, CheckpointMetadata, save_checkpoint
from hamlet_trio.agent.names import NetworkType
from hamlet_trio.agent.networks import build_network
from hamlet_trio.inference import InferenceService, serve_session
from hamlet_trio.protocol.errors import CloseCode
from hamlet_trio.protocol.messages import (
    Connected,
    EpisodeEnd,
    EpisodeStart,
    Error,
    InferenceMessage,
    Playback,
    StateUpdate,
)
from hamlet_trio.settings import Settings
from hamlet_trio.world import Worlds

UP, DOWN, LEFT, RIGHT, INTERACT = range(5)

Message = TypeVar("Message", bound=InferenceMessage)

_decoder: msgspec.json.Decoder[InferenceMessage] = msgspec.json.Decoder(InferenceMessage)


def save_model(
    path: Path,
    *,
    network_type: NetworkType = "qnetwork",
    seed: int = 0,
    width: int = 8,
    height: int = 8,
    always: int | None = None,
    world: dict[str, Any] | None = None,
) -> Path:
    """A checkpoint with random weights, or one that chooses the action `always` everywhere."""
    size = 8 + width * height
    network = build_network(
        network_type, size, 5, width, height, generator=torch.Generator().manual_seed(seed)
    )
    if always is not None:
        parameters = list(network.parameters())
        with torch.no_grad():
            for parameter in parameters:
                parameter.zero_()
            parameters[-1].copy_(torch.tensor([float(action == always) for action in range(5)]))
    metadata = CheckpointMetadata(network_type=network_type, world=world)
    save_checkpoint(path, Checkpoint(network=network, metadata=metadata))
    return path


def episode_length(action: int) -> int:
    """Steps until an agent that only ever does this has ended."""
    world = Worlds(1)
    while not world.over[0]:
        world.step([action])
    return int(world.steps[0])


class Client:
    """A client and its transport in memory. `window` messages may wait for it to read them."""

    def __init__(self, window: float = math.inf) -> None:
        self._frames, self._incoming = trio.open_memory_channel[str | bytes | None](math.inf)
        self._outgoing, self._messages = trio.open_memory_channel[str](window)
        self.code: CloseCode | None = None
        self.ended = trio.Event()
        self.scope = trio.CancelScope()
        self._error: Exception | None = None

    # --- the transport -------------------------------------------------------------------------------------

    async def receive(self) -> str | bytes | None:
        return await self._incoming.receive()

    async def send(self, text: str) -> None:
        if self._error is not None:
            raise self._error
        await self._outgoing.send(text)

    def send_nowait(self, text: str) -> bool:
        if self._error is not None:
            return False
        try:
            self._outgoing.send_nowait(text)
        except trio.WouldBlock:
            return False
        return True

    # --- the client ----------------------------------------------------------------------------------------

    def say(self, command: str, **fields: object) -> None:
        """Send a command."""
        self.say_raw(msgspec.json.encode({"command": command, **fields}).decode())

    def say_raw(self, frame: str | bytes | None) -> None:
        """Send a frame as it is."""
        self._frames.send_nowait(frame)

    async def hear(self) -> InferenceMessage:
        """The next message, checked against the protocol."""
        return _decoder.decode(await self._messages.receive())

    async def hear_text(self) -> str:
        """The next message as it was sent."""
        return await self._messages.receive()

    async def expect(self, kind: type[Message]) -> Message:
        """The next message, which must be one of this kind."""
        message = await self.hear()
        assert isinstance(message, kind), message
        return message

    async def skip_to(self, kind: type[Message]) -> Message:
        """The next message of this kind."""
        while True:
            message = await self.hear()
            if isinstance(message, kind):
                return message

    async def greeting(self) -> tuple[Connected, EpisodeStart, StateUpdate]:
        """What every session begins with."""
        return (
            await self.expect(Connected),
            await self.expect(EpisodeStart),
            await self.expect(StateUpdate),
        )

    async def ask(self, command: str, **fields: object) -> Playback:
        """Send a command whose very next answer must be `playback`."""
        self.say(command, **fields)
        return await self.expect(Playback)

    async def step(self) -> StateUpdate:
        """Ask for one step and hear its frame, next."""
        self.say("step")
        return await self.expect(StateUpdate)

    async def refusal(self, command: str, **fields: object) -> str:
        """Send a command whose very next answer must be an error; its code."""
        self.say(command, **fields)
        return (await self.expect(Error)).code

    async def assert_silent(self) -> Playback:
        """Nothing was sent that was not heard, and nothing is under way: the answer to `status` is next."""
        await wait_all_tasks_blocked()
        return await self.ask("status")

    def break_sending(self, error: Exception) -> None:
        """Let every send fail from now on."""
        self._error = error

    def disconnect(self) -> None:
        """Go away: the whole connection is cancelled, as the server's stack does it."""
        self.scope.cancel()

    async def steps(self, number: int) -> list[StateUpdate]:
        """Ask for as many steps at once, and hear their frames."""
        for _ in range(number):
            self.say("step")
        return [await self.expect(StateUpdate) for _ in range(number)]

    async def play_out(self, action: int = RIGHT) -> tuple[list[StateUpdate], EpisodeEnd]:
        """Step to the end of an episode in which only `action` is done, while paused."""
        frames = await self.steps(episode_length(action))
        return frames, await self.expect(EpisodeEnd)

    def forget(self) -> None:
        """Throw away what was sent and not heard."""
        with suppress(trio.WouldBlock):
            while True:
                self._messages.receive_nowait()

    def nothing_waits(self) -> bool:
        """Whether everything that was sent has been heard."""
        return self._messages.statistics().current_buffer_used == 0


@asynccontextmanager
async def connected(
    service: InferenceService,
    *,
    settings: Settings | None = None,
    draining: trio.Event | None = None,
    session_id: str = "test",
    window: float = math.inf,
) -> AsyncIterator[Client]:
    """A session and its client; leaving disconnects it, unless it has ended before."""
    client = Client(window)
    draining = trio.Event() if draining is None else draining
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_connection, service, client, settings or Settings(), draining, session_id)
        yield client
        client.disconnect()


async def _connection(
    service: InferenceService, client: Client, settings: Settings, draining: trio.Event, session_id: str
) -> None:
    try:
        with client.scope, service.admit():
            client.code = await serve_session(
                service, client, session_id=session_id, settings=settings, draining=draining
            )
    finally:
        client.ended.set()


async def advance(clock: MockClock, seconds: float) -> None:
    """Let virtual time pass, and a trace more for what rounding leaves, and whatever waited for it begin."""
    await wait_all_tasks_blocked()
    clock.jump(seconds + 1e-7)
    await wait_all_tasks_blocked()


@contextmanager
def real_time_limit(seconds: float = 60) -> Iterator[None]:
    """Fail what hangs: virtual time stands still, so only real time can tell."""
    token = trio.lowlevel.current_trio_token()
    with trio.CancelScope() as scope:
        watchdog = threading.Timer(seconds, token.run_sync_soon, [scope.cancel])
        watchdog.start()
        try:
            yield
        finally:
            watchdog.cancel()
    assert not scope.cancelled_caught, f"still waiting after {seconds} s of real time"
