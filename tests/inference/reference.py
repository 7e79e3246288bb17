"""What a session must answer, written down plainly: the rules of a session without tasks, threads or time."""

from typing import NamedTuple, TypeAlias

from hamlet_trio.world import Worlds, WorldState
from tests.inference.support import DOWN, INTERACT, RIGHT

MODELS = {"trained_agent.pt": RIGHT, "down.pt": DOWN, "interact.pt": INTERACT}
"""The models of the tests' folder that always do the same, with what they do."""

Line: TypeAlias = tuple[object, ...]
"""A message in short: its type and what the rules fix about it."""


class Shot(NamedTuple):
    """A step of an episode: what a frame of it tells, and the state to go on from."""

    action: int
    cell: tuple[int, int]
    done: bool
    visited: frozenset[tuple[int, int]]
    state: WorldState


class Reel(NamedTuple):
    """An episode that is looked at again: a recording's, or with None for that the session's own."""

    recording: str | None
    episode: int
    shots: tuple[Shot, ...]
    thinks: bool

    @property
    def last(self) -> int:
        return len(self.shots) - 1


def reel_of(recording: str, episode: int, actions: list[int]) -> Reel:
    """That of a recording without Q-values, from the fixed start."""
    world = Worlds(1)
    visited: set[tuple[int, int]] = set()
    shots = [_shot(world, 0, visited)]
    for action in actions:
        world.step([action])
        shots.append(_shot(world, action, visited))
    return Reel(recording, episode, tuple(shots), thinks=False)


def _shot(world: Worlds, action: int, visited: set[tuple[int, int]]) -> Shot:
    x, y = world.positions[0, 0].tolist()
    visited.add((x, y))
    return Shot(action, (x, y), bool(world.over[0]), frozenset(visited), world.get_state(0))


class ReferenceSession:
    """One session. A method that is called as a command returns what is sent in answer to it.

    `now` is in seconds since the connection; whoever waits moves it. `recordings` are those that there are.
    """

    def __init__(self, recordings: dict[str, Reel] | None = None) -> None:
        self.now = 0.0
        self.playing = False
        self.human = False
        self.over = False
        self.speed = 1.0
        self.episode = 0
        self.shots: list[Shot] = []
        self.last: Line = ()
        self.reel: Reel | None = None
        self.at = 0
        self.recordings = recordings or {}
        self.anchor = 0.0
        self.model = "trained_agent.pt"
        self.view = (False, False)
        self.world = Worlds(1)
        self.visited: set[tuple[int, int]] = set()

    def greet(self) -> list[Line]:
        return [("connected", self.model), *self._begin()]

    def deadline(self) -> float | None:
        """When the next turn is due, if one is."""
        if not self.playing or (self.human and not self.over and self.reel is None):
            return None
        return self.anchor + (2.0 if self.over and self.reel is None else 0.1) / self.speed

    def take_turn(self) -> list[Line]:
        """What happens at the deadline."""
        deadline = self.deadline()
        assert deadline is not None
        self.now = self.anchor = deadline
        if self.reel is not None:
            answer = self._show(self.at + 1)
            if self.at == self.reel.last:
                self.playing = False
                answer.append(self._playback())
            return answer
        return self._begin() if self.over else self._advance(MODELS[self.model])

    def play(self) -> list[Line]:
        answer = self._go_on_if_rewound()
        was_playing, self.playing = self.playing, True
        answer.append(self._playback())
        if not was_playing:
            self.anchor = self.now
            if self.reel is not None:
                answer += self._show(0) if self.at == self.reel.last else []
            else:
                answer += self._begin_if_over()
        return answer

    def pause(self) -> list[Line]:
        self.playing = False
        return [self._playback()]

    def status(self) -> list[Line]:
        return [self._playback()]

    def set_speed(self, speed: float) -> list[Line]:
        self.speed = min(max(speed, 0.1), 10.0)
        answer = [self._playback()]
        deadline = self.deadline()
        if deadline is not None and deadline <= self.now:
            self.anchor += self.now - deadline
            answer += self.take_turn()
        return answer

    def take_control(self) -> list[Line]:
        answer = self._go_on()
        self.human = True
        return [*answer, self._playback()]

    def release_control(self) -> list[Line]:
        if self.human and not self.over and self.reel is None:
            self.anchor = self.now
        self.human = False
        return [self._playback()]

    def act(self, action: int) -> list[Line]:
        if not self.human or self._shows_recording:
            return [("error", "not_in_control")]
        self.anchor = self.now
        return [*self._go_on_if_rewound(), *self._begin_if_over(), *self._advance(action)]

    def step(self) -> list[Line]:
        if self.human and not self._shows_recording:
            return [("error", "human_in_control")]
        if self.playing:
            return [("error", "step_while_playing")]
        if self.reel is not None and self._shows_recording:
            return [("error", "recording_ended")] if self.at == self.reel.last else self._show(self.at + 1)
        return [*self._go_on_if_rewound(), *self._begin_if_over(), *self._advance(MODELS[self.model])]

    def reset(self) -> list[Line]:
        self.anchor = self.now
        return [*self._end_reel(), *self._end("reset"), *self._begin()]

    def load_model(self, model: str) -> list[Line]:
        if model not in MODELS:
            return [("error", "unknown_model")]
        self.model = model
        self.visited.clear()
        self.anchor = self.now
        return [("model_loaded", model), *self._end_reel(), *self._end("model_changed"), *self._begin()]

    def record(self) -> list[Line]:
        if self._shows_recording or len(self.shots) == 1:
            return [("error", "nothing_to_record")]
        return [("recording_saved", self.episode, len(self.shots) - 1)]

    def load_recording(self, recording: str) -> list[Line]:
        if recording not in self.recordings:
            return [("error", "unknown_recording")]
        self.playing = False
        return [self._begin_reel(self.recordings[recording]), self._playback(), *self._show(0)]

    def seek(self, step: int) -> list[Line]:
        answer = []
        if self.reel is None:
            self.playing = False
            answer = [
                self._begin_reel(Reel(None, self.episode, tuple(self.shots), thinks=len(self.shots) > 1))
            ]
        self.anchor = self.now
        return [*answer, self._playback(), *self._show(step)]

    def leave_replay(self) -> list[Line]:
        if self.reel is None:
            return [("error", "not_in_replay")]
        self.playing = False
        return [*self._end_reel(), self._playback(), self.last]

    def set_view(self, q_values: bool, attention: bool) -> list[Line]:
        self.view = (q_values, attention)
        return [("view", *self.view)]

    @property
    def _shows_recording(self) -> bool:
        return self.reel is not None and self.reel.recording is not None

    def _playback(self) -> Line:
        controller = "human" if self.human else "policy"
        return "playback", self.playing, self.speed, "recording" if self.reel is not None else controller

    def _begin_if_over(self) -> list[Line]:
        return self._begin() if self.over else []

    def _begin(self) -> list[Line]:
        self.episode += 1
        self.shots = []
        self.over = False
        self.world.reset()
        return [("episode_start", self.episode, self.model), self._frame(0)]

    def _advance(self, action: int) -> list[Line]:
        self.world.step([action])
        frame = self._frame(action)
        return [frame, *(self._end("meter_depleted") if self.world.over[0] else [])]

    def _end(self, reason: str) -> list[Line]:
        if self.over:
            return []
        self.over = True
        return [("episode_end", self.episode, len(self.shots) - 1, reason)]

    def _frame(self, action: int) -> Line:
        self.shots.append(_shot(self.world, action, self.visited))
        self.last = self._line(self.episode, len(self.shots) - 1, self.shots[-1], self.view[0])
        return self.last

    def _line(self, episode: int, step: int, shot: Shot, shows_q_values: bool) -> Line:
        return "frame", episode, step, shot.action, shot.cell, shot.done, len(shot.visited), shows_q_values

    # --- looking at an episode again -----------------------------------------------------------------------

    def _begin_reel(self, reel: Reel) -> Line:
        self.reel, self.at = reel, 0
        return "replay_started", reel.recording, reel.episode, reel.last

    def _end_reel(self) -> list[Line]:
        if self.reel is None:
            return []
        recording, self.reel = self.reel.recording, None
        return [("replay_ended", recording)]

    def _show(self, step: int) -> list[Line]:
        assert self.reel is not None
        self.at = min(step, self.reel.last)
        shot = self.reel.shots[self.at]
        return [self._line(self.reel.episode, self.at, shot, self.view[0] and self.reel.thinks)]

    def _go_on_if_rewound(self) -> list[Line]:
        return [] if self._shows_recording else self._go_on()

    def _go_on(self) -> list[Line]:
        """Go on from the step that is looked at, if one is; at the end of the own episode that goes on."""
        reel, at = self.reel, self.at
        answer = self._end_reel()
        if reel is None or (reel.recording is None and at == reel.last):
            return answer
        answer += self._end("reset")
        self.episode += 1
        self.over = False
        self.shots = list(reel.shots[: at + 1])
        self.visited = set(self.shots[at].visited)
        self.world.set_state(0, self.shots[at].state)
        self.last = self._line(self.episode, at, self.shots[at], self.view[0] and reel.thinks)
        return [*answer, ("branched", self.episode, self.model, at, reel.recording)]
