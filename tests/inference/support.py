"""Models with a fixed behaviour, and a client at the other end of a session.

Only `advance` moves the virtual clock, so nothing depends on how long a thread takes: a test waits for the
message it expects, and only then lets time pass.
"""

import itertools
import math
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest
import torch
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from hamlet_trio.agent.checkpoint import Checkpoint, CheckpointMetadata, save_checkpoint
from hamlet_trio.agent.models import ModelFolder
from hamlet_trio.agent.names import NetworkType
from hamlet_trio.agent.networks import build_network
from hamlet_trio.connection import ReadBatch, ServerFullError
from hamlet_trio.inference import InferenceService, serve_session
from hamlet_trio.inference.engine import PolicyEngine
from hamlet_trio.inference.policies import PolicyStore
from hamlet_trio.protocol.errors import CloseCode
from hamlet_trio.protocol.messages import (
    Connected,
    EpisodeEnd,
    EpisodeStart,
    Error,
    InferenceMessage,
    Playback,
    RecordingSaved,
    ReplayStarted,
    StateUpdate,
)
from hamlet_trio.recording.info import RecordingInfo
from hamlet_trio.settings import Settings
from hamlet_trio.world import Worlds
from tests.patience import PATIENCE

UP, DOWN, LEFT, RIGHT, INTERACT = range(5)

REPLAY_PAUSED = Playback(False, 1.0, "recording")

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
    """Save a checkpoint with random weights, or one that always chooses the action `always`."""
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
    """Return the length of an episode in which only this action is made."""
    world = Worlds(1)
    while not world.over[0]:
        world.step([action])
    return int(world.steps[0])


class Client:
    """A client and its transport in memory. `window` messages may wait for it to read them.

    `connected` and `first_frame` are what `greeting` heard.
    """

    connected: Connected
    first_frame: StateUpdate

    def __init__(self, window: float = math.inf) -> None:
        self._frames, self._incoming = trio.open_memory_channel[str | bytes | None](math.inf)
        self._to_client, self._messages = trio.open_memory_channel[str](window)
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
        await self._to_client.send(text)

    def send_nowait(self, text: str) -> bool:
        if self._error is not None:
            return False
        try:
            self._to_client.send_nowait(text)
        except trio.WouldBlock:
            return False
        return True

    def take_with(self, take: Callable[[str], bool], batch: ReadBatch) -> None:
        pass

    # --- the client ----------------------------------------------------------------------------------------

    def say(self, command: str, **fields: object) -> None:
        """Send a command."""
        self.say_raw(msgspec.json.encode({"command": command, **fields}).decode())

    def say_raw(self, frame: str | bytes | None) -> None:
        """Send a WebSocket frame as it is."""
        self._frames.send_nowait(frame)

    async def hear(self) -> InferenceMessage:
        """Receive the next message, checked against the protocol."""
        return _decoder.decode(await self._messages.receive())

    async def hear_text(self) -> str:
        """Receive the next message as text."""
        return await self._messages.receive()

    async def expect(self, kind: type[Message]) -> Message:
        """Receive the next message, which must be of this kind."""
        message = await self.hear()
        assert isinstance(message, kind), message
        return message

    async def skip_to(self, kind: type[Message]) -> Message:
        """Receive messages up to the next one of this kind; return that."""
        while True:
            message = await self.hear()
            if isinstance(message, kind):
                return message

    async def greeting(self) -> tuple[Connected, EpisodeStart, StateUpdate]:
        """Receive the messages that every session begins with."""
        self.connected = await self.expect(Connected)
        start = await self.expect(EpisodeStart)
        self.first_frame = await self.expect(StateUpdate)
        return self.connected, start, self.first_frame

    async def ask(self, command: str, **fields: object) -> Playback:
        """Send a command; the next message must be `playback`."""
        self.say(command, **fields)
        return await self.expect(Playback)

    async def step(self) -> StateUpdate:
        """Ask for one step; the next message must be its frame."""
        self.say("step")
        return await self.expect(StateUpdate)

    async def record(self, **fields: object) -> RecordingInfo:
        """Record the episode; the next message must say that it is saved."""
        self.say("record", **fields)
        return (await self.expect(RecordingSaved)).recording

    async def load_recording(self, recording: str) -> ReplayStarted:
        """Load a recording; receive all messages up to its first frame."""
        self.say("load_recording", recording=recording)
        started = await self.expect(ReplayStarted)
        assert await self.expect(Playback) == REPLAY_PAUSED
        assert (await self.expect(StateUpdate)).step == 0
        return started

    async def seek(self, step: int) -> StateUpdate:
        """Seek in the replay that is on; return the frame."""
        await self.ask("seek", step=step)
        return await self.expect(StateUpdate)

    async def rewind(self, step: int) -> tuple[ReplayStarted, StateUpdate]:
        """Seek in the live episode; return how the replay is announced, and the frame."""
        self.say("seek", step=step)
        started = await self.expect(ReplayStarted)
        assert await self.expect(Playback) == REPLAY_PAUSED
        return started, await self.expect(StateUpdate)

    async def refusal(self, command: str, **fields: object) -> str:
        """Send a command; the next message must be an error; return its code."""
        self.say(command, **fields)
        return (await self.expect(Error)).code

    async def assert_silent(self) -> Playback:
        """Assert that no message waits and none is under way: the answer to `status` comes next."""
        await wait_all_tasks_blocked()
        return await self.ask("status")

    def break_sending(self, error: Exception) -> None:
        """Let every send to the client fail from now on."""
        self._error = error

    def disconnect(self) -> None:
        """Disconnect: cancel the whole connection, as the server's stack does."""
        self.scope.cancel()

    async def steps(self, number: int) -> list[StateUpdate]:
        """Ask for several steps at once; return their frames."""
        for _ in range(number):
            self.say("step")
        return [await self.expect(StateUpdate) for _ in range(number)]

    async def play_out(self, action: int = RIGHT) -> tuple[list[StateUpdate], EpisodeEnd]:
        """Step to the end of an episode in which only `action` is made, while paused."""
        frames = await self.steps(episode_length(action))
        return frames, await self.expect(EpisodeEnd)

    def forget(self) -> None:
        """Drop the messages that wait."""
        with suppress(trio.WouldBlock):
            while True:
                self._messages.receive_nowait()

    def nothing_waits(self) -> bool:
        """Return whether no message waits."""
        return self._messages.statistics().current_buffer_used == 0


@asynccontextmanager
async def connected(
    service: InferenceService,
    *,
    settings: Settings | None = None,
    draining: trio.Event | None = None,
    secret: str | None = None,
    window: float = math.inf,
) -> AsyncIterator[Client]:
    """Run a session and yield its client; leaving disconnects it, unless it has ended before."""
    client = Client(window)
    draining = trio.Event() if draining is None else draining
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_connection, service, client, settings or Settings(), draining, secret)
        yield client
        client.disconnect()


@asynccontextmanager
async def greeted(
    service: InferenceService,
    *,
    settings: Settings | None = None,
    draining: trio.Event | None = None,
    secret: str | None = None,
    window: float = math.inf,
) -> AsyncIterator[Client]:
    """Run a session whose client has received the greeting."""
    async with connected(
        service, settings=settings, draining=draining, secret=secret, window=window
    ) as client:
        await client.greeting()
        yield client


def free_slots(engine: PolicyEngine) -> int:
    """Count the worlds that no session has, by lending them all."""
    with ExitStack() as stack:
        for count in itertools.count():
            try:
                stack.enter_context(engine.slot())
            except ServerFullError:
                return count
    raise AssertionError


def uses(store: PolicyStore) -> int:
    """Count how many times any policy is held by a session."""
    return sum(policy.users for policy in (*store._loaded.values(), store._untrained))


async def _connection(
    service: InferenceService, client: Client, settings: Settings, draining: trio.Event, secret: str | None
) -> None:
    try:
        with client.scope, service.admit():
            client.code = await serve_session(
                service, client, secret=secret, settings=settings, draining=draining
            )
    finally:
        client.ended.set()


async def advance(clock: MockClock, seconds: float) -> None:
    """Let virtual time pass, plus a margin for rounding, and let everything due begin."""
    await wait_all_tasks_blocked()
    clock.jump(seconds + 1e-7)
    await wait_all_tasks_blocked()


@contextmanager
def real_time_limit(seconds: float = PATIENCE) -> Iterator[None]:
    """Fail a test that hangs: virtual time stands still, so only real time can tell."""
    token = trio.lowlevel.current_trio_token()
    with trio.CancelScope() as scope:
        watchdog = threading.Timer(seconds, token.run_sync_soon, [scope.cancel])
        watchdog.start()
        try:
            yield
        finally:
            watchdog.cancel()
    assert not scope.cancelled_caught, f"still waiting after {seconds} s of real time"


class ModelGate:
    """Keep every load of a model waiting until the gate is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._opened = threading.Event()
        resolve = ModelFolder.resolve

        def held(folder: ModelFolder, name: str) -> Path:
            assert self._opened.wait(PATIENCE)
            return resolve(folder, name)

        monkeypatch.setattr(ModelFolder, "resolve", held)

    def open(self) -> None:
        """Let all loads through from now on."""
        self._opened.set()
