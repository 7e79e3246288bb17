"""A client that goes on with its session wherever it is let in, and remembers its whole life."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any, Final

import trio
from trio_websocket import ConnectionClosed, HandshakeError

from hamlet_trio.protocol.frames import heat_map_of
from hamlet_trio.world import Worlds
from tests.e2e.client import Message, Player, connected, strict
from tests.patience import PATIENCE

AGAIN: Final = 0.05  # seconds after which a client that was refused tries again
THINKING: Final = 0.05  # seconds of a person between two actions
KEPT_ACTIONS: Final = 512
ATTEMPTS: Final = 3  # to go on, while Redis does not answer

Connect = Callable[[], AbstractAsyncContextManager[Player]]
Habit = Callable[["Pupil", Player], Awaitable[None]]
"""What a pupil does once, in its fresh session."""


class Pupil:
    """Represent one pupil: it does as its habit says, and after a loss asks for its session.

    Attributes:
        frames: the frames of its own episodes, by episode, one for each step.
        replayed: the step of the replay on screen, if one is on.
        resumed: what it was told each time its session went on.
        begun_anew: codes of the errors for which it had to begin a new session.
        away: seconds from each loss until the session went on.
        codes: close codes of its losses.
    """

    def __init__(
        self,
        places: Sequence[Connect],
        habit: Habit,
        *,
        acts: Sequence[int] = (),
        thinking: float = THINKING,
    ) -> None:
        self.frames: dict[int, list[Message]] = {}
        self.replayed: int | None = None
        self.resumed: list[Message] = []
        self.begun_anew: list[str] = []
        self.away: list[float] = []
        self.codes: list[int | None] = []
        self.secret = ""
        self.number = 0
        self.playback: Message = {}
        self._places = list(places)
        self._habit = habit
        self._acts = acts
        self._thinking = thinking
        self._episode = 0
        self._step = 0
        self._attempts = 0
        self._changed = trio.Event()

    @property
    def is_to_watch(self) -> bool:
        """Whether it looks at a replay."""
        return self._habit in (watches, rewinds)

    @property
    def moves(self) -> bool:
        """Whether its life goes on by itself, or by its own hand."""
        return self._habit not in (waits, rewinds, watches)

    async def live(self) -> None:
        """Connect, play, and come back, until cancelled."""
        lost: float | None = None
        while True:
            try:
                async with self._places[0]() as player:
                    try:
                        await self._attend(player, lost)
                    except ConnectionClosed as closed:
                        lost = trio.current_time()
                        self.codes.append(closed.reason.code if closed.reason else None)
                        self._tell()
            except* (HandshakeError, OSError, trio.BrokenResourceError):
                pass
            # The next door, as nginx would choose it.
            self._places = self._places[1:] + self._places[:1]
            await trio.sleep(AGAIN)

    async def _attend(self, player: Player, lost: float | None) -> None:
        greeting = await player.expect("connected")
        first = await player.expect("state_update")
        if self.secret:
            actions = [frame["action"] for frame in self.frames.get(self._episode, []) if frame["step"]]
            await player.send(
                "resume_session",
                resume=self.secret,
                episode=self._episode,
                step=self._step,
                actions=actions[-KEPT_ACTIONS:],
            )
            answer = await player.receive()
            if answer["type"] == "error":
                self._attempts += 1
                if answer["code"] == "store_unavailable" and self._attempts < ATTEMPTS:
                    return
                self.begun_anew.append(answer["code"])
                self.secret = greeting["resume"]
                self._attempts = 0
            else:
                assert answer["type"] == "session_resumed", answer
                self.resumed.append(answer)
                self._attempts = 0
                self.replayed = None
                if lost is not None:
                    self.away.append(trio.current_time() - lost)
            self._tell()
        else:
            self.secret = greeting["resume"]
            await self._see(first, player)
            await self._habit(self, player)
        while True:
            message = strict(await player.socket.get_message())  # a paused session may be silent for long
            match message["type"]:
                case "replay_started":
                    self.replayed = 0
                case "replay_ended":
                    self.replayed = None
                case "playback":
                    self.playback = message
                case "state_update":
                    await self._see(message, player)
            self._tell()

    async def _see(self, frame: Message, player: Player) -> None:
        self.number += 1
        if self.replayed is not None:
            self.replayed = frame["step"]
            return
        own = self.frames.setdefault(frame["episode"], [])
        if own and frame["step"] <= own[-1]["step"]:
            assert frame["step"] == own[-1]["step"], "a step came twice"
            shown = dict(own[-1])
            # The outputs of the policy are not kept; they come with the next frame.
            assert {**shown, "q_values": None} == {**frame, "q_values": None}, "the life is another"
        else:
            own.append(frame)
        self._episode, self._step = frame["episode"], frame["step"]
        if self._acts and frame["step"]:
            await trio.sleep(self._thinking)
            await player.send("act", action=self._acts[frame["step"] % len(self._acts)])

    def _tell(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    async def until(self, wanted: Callable[["Pupil"], bool]) -> None:
        """Wait until this holds."""
        with trio.move_on_after(PATIENCE):
            while not wanted(self):
                await self._changed.wait()
        assert wanted(self), f"still waiting: {self}"

    def __repr__(self) -> str:
        known = {name: value for name, value in vars(self).items() if name not in ("frames", "secret")}
        return f"Pupil({known})"

    def check(self) -> int:
        """Recompute each episode from its actions; return how many steps were compared.

        Every step is there once, with the return and the heat map that an undisturbed life has.
        """
        visits: dict[str, int] = {}
        compared = 0
        for number in sorted(self.frames):
            world = Worlds(1)
            total = 0.0
            frames = self.frames[number]
            assert [frame["step"] for frame in frames] == list(range(len(frames)))
            for frame in frames:
                if frame["step"]:
                    total += float(world.step([frame["action"]]).rewards[0, 0])
                x, y = world.positions[0, 0].tolist()
                visits[f"{x},{y}"] = visits.get(f"{x},{y}", 0) + 1
                agent = frame["grid"]["agents"][0]
                assert (agent["x"], agent["y"]) == (x, y)
                assert frame["cumulative_reward"] == total
                assert frame["heat_map"] == heat_map_of(visits)
                compared += 1
        return compared


def doors(ports: Sequence[int], first: int) -> list[Connect]:
    """Return the instances in the order in which a pupil tries them."""
    return [partial(connected, port) for port in (*ports[first:], *ports[:first])]


async def plays(pupil: Pupil, player: Player, *, speed: float) -> None:
    """Play by itself."""
    await player.send("set_speed", speed=speed)
    await player.send("play")


async def acts(pupil: Pupil, player: Player) -> None:
    """Be played by a person, who answers each frame with an action."""
    await player.send("take_control")
    await player.send("act", action=0)


async def waits(pupil: Pupil, player: Player) -> None:
    """Make some steps and stay paused."""
    for _ in range(7):
        await player.send("step")


async def rewinds(pupil: Pupil, player: Player) -> None:
    """Make some steps and look back."""
    await waits(pupil, player)
    await player.send("seek", step=3)


async def watches(pupil: Pupil, player: Player) -> None:
    """Record the first steps, and watch the recording."""
    for _ in range(30):
        await player.send("step")
    await player.send("record")
    saved: dict[str, Any] = {}
    while not saved:
        message = await player.receive()
        if message["type"] == "state_update":
            await pupil._see(message, player)
        elif message["type"] == "recording_saved":
            saved = message["recording"]
    await player.send("set_speed", speed=0.2)
    await player.send("load_recording", recording=saved["recording"])
    await player.send("play")
