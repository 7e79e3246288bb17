"""Play and watch as well-behaved clients that check everything they are sent."""

import itertools
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import trio
from trio_websocket import ConnectionClosed, HandshakeError, WebSocketConnection, wrap_client_stream

from bench.soak.tally import Tally

SILENCE: Final = 20.0  # seconds without a frame after which a playing session counts as broken
_OF_A_FULL_DISK: Final = {"save_failed", "history_failed"}
_addresses: Final = itertools.count(1)


@asynccontextmanager
async def connection(port: int, path: str) -> AsyncIterator[WebSocketConnection]:
    """Open a WebSocket from an address of its own, as if from another computer."""
    number = next(_addresses) % 60_000
    address = f"127.2.{number // 250}.{number % 250 + 1}"
    async with trio.open_nursery() as nursery:
        stream = await trio.open_tcp_stream("127.0.0.1", port, local_address=address)
        try:
            yield await wrap_client_stream(nursery, stream, "localhost", path)
        finally:
            await trio.aclose_forcefully(stream)
            nursery.cancel_scope.cancel()


class Player:
    """Visit `/ws` again and again, act as people do, and check the order of every frame."""

    def __init__(self, port: int, seed: int, tally: Tally) -> None:
        self._port = port
        self._random = random.Random(seed)
        self._tally = tally
        self._models: list[str] = []
        self._next_step: int | None = None

    async def come_and_go(self) -> None:
        """Make one visit after the other until cancelled."""
        while True:
            try:
                async with connection(self._port, "/ws") as socket:
                    self._tally.connections += 1
                    await self._visit(socket)
                    if self._random.random() < 0.5:
                        await socket.aclose()
            except* (ConnectionClosed, HandshakeError, OSError, trio.BrokenResourceError) as errors:
                self._tally.innocent[f"player lost: {errors.exceptions[0]!r:.80}"] += 1
            except* trio.TooSlowError:
                self._tally.innocent["player: silence"] += 1
            await trio.sleep(self._random.uniform(0, 0.5))

    async def _visit(self, socket: WebSocketConnection) -> None:
        self._next_step = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._read, socket)
            await self._send(socket, "play")
            with trio.move_on_after(self._random.uniform(1, 10)):
                while True:
                    await trio.sleep(self._random.uniform(0.1, 2))
                    await self._do_something(socket)
            nursery.cancel_scope.cancel()

    async def _do_something(self, socket: WebSocketConnection) -> None:
        match self._random.randrange(6):
            case 0:
                await self._send(socket, "reset")
            case 1:
                await self._send(socket, "set_speed", speed=self._random.choice([0.5, 1, 2, 5]))
            case 2:
                await self._send(socket, "set_view", q_values=self._random.random() < 0.5)
            case 3:
                if self._models:
                    await self._send(socket, "load_model", model=self._random.choice(self._models))
            case 4:
                await self._send(socket, "pause")
                for _ in range(self._random.randrange(4)):
                    await self._send(socket, "step")
                await self._send(socket, "play")
            case _:
                await self._send(socket, "status")

    async def _send(self, socket: WebSocketConnection, command: str, **fields: Any) -> None:
        await socket.send_message(json.dumps({"command": command, **fields}))

    async def _read(self, socket: WebSocketConnection) -> None:
        while True:
            with trio.fail_after(SILENCE):
                message = json.loads(await socket.get_message())
            self._tally.messages += 1
            match message["type"]:
                case "connected":
                    self._models = message["available_models"]
                case "episode_start":
                    self._next_step = 0
                case "state_update":
                    if message["step"] != self._next_step:
                        self._tally.lost += 1
                    self._next_step = message["step"] + 1
                case "error":
                    self._tally.innocent[f"player told: {message['code']}"] += 1


class Viewer:
    """Watch the run on `/ws/training`; a teacher starts one whenever there is none."""

    def __init__(self, port: int, seed: int, tally: Tally, *, teaches: bool = False) -> None:
        self._port = port
        self._random = random.Random(seed)
        self._tally = tally
        self._teaches = teaches
        self._last: int | None = None

    async def come_and_go(self) -> None:
        """Make one visit after the other until cancelled; a teacher stays connected."""
        while True:
            try:
                async with connection(self._port, "/ws/training") as socket:
                    self._tally.connections += 1
                    self._last = None
                    with trio.move_on_after(self._stay()):
                        await self._read(socket)
            except* (ConnectionClosed, HandshakeError, OSError, trio.BrokenResourceError) as errors:
                self._tally.innocent[f"viewer lost: {errors.exceptions[0]!r:.80}"] += 1
            await trio.sleep(self._random.uniform(0, 0.5))

    async def stop_run(self) -> None:
        """Stop the run, if there is one, and wait until there is none.

        Commands are carried out in the order they came: a run that the teacher ordered just before is stopped
        too, although nothing is known of it yet.
        """
        async with connection(self._port, "/ws/training") as socket:
            await socket.get_message()  # the status before the stop
            await socket.send_message(json.dumps({"command": "stop"}))
            while True:
                message = json.loads(await socket.get_message())
                if message["type"] == "error" and message["code"] == "not_training":
                    return
                if message["type"] == "training_status" and message["state"] in ("idle", "failed"):
                    return

    def _stay(self) -> float:
        return float("inf") if self._teaches else self._random.uniform(2, 15)

    async def _read(self, socket: WebSocketConnection) -> None:
        while True:
            message = json.loads(await socket.get_message())
            self._tally.messages += 1
            match message["type"]:
                case "training_status" if self._teaches and message["state"] in ("idle", "failed"):
                    await self._start(socket)
                case "training_started":
                    self._last = None
                case "training_failed":
                    # From here on the run repeats what it had not saved.
                    self._last = None
                    self._tally.expected["trainer resumed" if message["restart"] else "run given up"] += 1
                case "episode_complete":
                    if self._last is not None:
                        self._tally.lost += max(0, message["episode"] - self._last - 1)
                    self._last = message["episode"]
                case "error":
                    self._note_error(message)

    def _note_error(self, message: dict[str, Any]) -> None:
        if self._teaches:
            self._tally.expected[f"teacher told: {message['code']}"] += 1
        elif message["code"] in _OF_A_FULL_DISK:  # of the run that all of them watch
            self._tally.expected[f"all told: {message['code']}"] += 1
        else:
            self._tally.innocent[f"viewer told: {message['code']}"] += 1

    async def _start(self, socket: WebSocketConnection) -> None:
        # A full disk may have ended the last one; at once again would be a storm.
        await trio.sleep(1)
        order: dict[str, Any] = {"num_episodes": 400, "max_steps": 40, "show_every": 5, "step_delay": 0.02}
        order |= {"checkpoint_every": 5, "network_type": "qnetwork", "seed": self._random.randrange(1000)}
        await socket.send_message(json.dumps({"command": "start_training", **order}))
