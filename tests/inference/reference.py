"""A reference session: the rules of a session written out plainly, without tasks, threads or time."""

from typing import NamedTuple, TypeAlias

from hamlet_trio.world import Worlds, WorldState
from tests.inference.support import DOWN, INTERACT, RIGHT

MODELS = {"trained_agent.pt": RIGHT, "down.pt": DOWN, "interact.pt": INTERACT}
"""The models of the tests' folder that always choose the same action, and that action."""

Summary: TypeAlias = tuple[object, ...]
"""The part of a message that the rules fix, its type first."""


class ReferenceStep(NamedTuple):
    """A step of an episode: what its frame shows, and the state to continue from."""

    action: int
    cell: tuple[int, int]
    done: bool
    visited: frozenset[tuple[int, int]]
    state: WorldState


class ReferenceReplay(NamedTuple):
    """A replay of a recording, or of the session's own episode (`recording` is None)."""

    recording: str | None
    episode: int
    steps: tuple[ReferenceStep, ...]
    has_q_values: bool

    @property
    def last(self) -> int:
        return len(self.steps) - 1


def replay_of(recording: str, episode: int, actions: list[int]) -> ReferenceReplay:
    """Return the replay of a recording without Q-values, from the fixed start."""
    world = Worlds(1)
    visited: set[tuple[int, int]] = set()
    steps = [_step(world, 0, visited)]
    for action in actions:
        world.step([action])
        steps.append(_step(world, action, visited))
    return ReferenceReplay(recording, episode, tuple(steps), has_q_values=False)


def _step(world: Worlds, action: int, visited: set[tuple[int, int]]) -> ReferenceStep:
    x, y = world.positions[0, 0].tolist()
    visited.add((x, y))
    return ReferenceStep(action, (x, y), bool(world.over[0]), frozenset(visited), world.get_state(0))


class ReferenceSession:
    """One session. Each command is a method that returns the answers to it.

    `now` is in seconds since the connection; tests move it. `recordings` holds the replay of each id.
    """

    def __init__(self, recordings: dict[str, ReferenceReplay] | None = None) -> None:
        self.now = 0.0
        self.playing = False
        self.human = False
        self.over = True
        self.speed = 1.0
        self.episode = 0
        self.steps: list[ReferenceStep] = []
        self.last: Summary = ()
        self.replay: ReferenceReplay | None = None
        self.at = 0
        self.recordings = recordings or {}
        self.anchor = 0.0
        self.model = "trained_agent.pt"
        self.view = (False, False)
        self.world = Worlds(1)
        self.visited: set[tuple[int, int]] = set()

    def connect(self) -> list[Summary]:
        return [("connected", self.model), *self._begin()]

    def deadline(self) -> float | None:
        """Return when the next turn is due, if one is."""
        if not self.playing or (self.human and not self.over and self.replay is None):
            return None
        return self.anchor + (2.0 if self.over and self.replay is None else 0.1) / self.speed

    def take_turn(self) -> list[Summary]:
        """Take the turn at the deadline."""
        deadline = self.deadline()
        assert deadline is not None
        self.now = self.anchor = deadline
        if self.replay is not None:
            answer = self._show(self.at + 1)
            if self.at == self.replay.last:
                self.playing = False
                answer.append(self._playback())
            return answer
        return self._begin() if self.over else self._advance(MODELS[self.model])

    def play(self) -> list[Summary]:
        answer = self._branch_if_rewound()
        was_playing, self.playing = self.playing, True
        answer.append(self._playback())
        if not was_playing:
            self.anchor = self.now
            if self.replay is not None:
                answer += self._show(0) if self.at == self.replay.last else []
            else:
                answer += self._begin_if_over()
        return answer

    def pause(self) -> list[Summary]:
        self.playing = False
        return [self._playback()]

    def status(self) -> list[Summary]:
        return [self._playback()]

    def set_speed(self, speed: float) -> list[Summary]:
        self.speed = min(max(speed, 0.1), 10.0)
        answer = [self._playback()]
        deadline = self.deadline()
        if deadline is not None and deadline <= self.now:
            self.anchor += self.now - deadline
            answer += self.take_turn()
        return answer

    def take_control(self) -> list[Summary]:
        answer = self._branch()
        self.human = True
        return [*answer, self._playback()]

    def release_control(self) -> list[Summary]:
        if self.human and not self.over and self.replay is None:
            self.anchor = self.now
        self.human = False
        return [self._playback()]

    def act(self, action: int) -> list[Summary]:
        if not self.human or self._shows_recording:
            return [("error", "not_in_control")]
        self.anchor = self.now
        return [*self._branch_if_rewound(), *self._begin_if_over(), *self._advance(action)]

    def step(self) -> list[Summary]:
        if self.human and not self._shows_recording:
            return [("error", "human_in_control")]
        if self.playing:
            return [("error", "step_while_playing")]
        if self.replay is not None and self._shows_recording:
            return [("error", "recording_ended")] if self.at == self.replay.last else self._show(self.at + 1)
        return [*self._branch_if_rewound(), *self._begin_if_over(), *self._advance(MODELS[self.model])]

    def reset(self) -> list[Summary]:
        self.anchor = self.now
        return [*self._end_replay(), *self._end("reset"), *self._begin()]

    def load_model(self, model: str) -> list[Summary]:
        if model not in MODELS:
            return [("error", "unknown_model")]
        self.model = model
        self.visited.clear()
        self.anchor = self.now
        return [("model_loaded", model), *self._end_replay(), *self._leave("model_changed"), *self._begin()]

    def record(self) -> list[Summary]:
        if self._shows_recording or len(self.steps) == 1:
            return [("error", "nothing_to_record")]
        return [("recording_saved", self.episode, len(self.steps) - 1)]

    def load_recording(self, recording: str) -> list[Summary]:
        if recording not in self.recordings:
            return [("error", "unknown_recording")]
        self.playing = False
        return [self._begin_replay(self.recordings[recording]), self._playback(), *self._show(0)]

    def seek(self, step: int) -> list[Summary]:
        answer = []
        if self.replay is None:
            self.playing = False
            answer = [
                self._begin_replay(
                    ReferenceReplay(None, self.episode, tuple(self.steps), has_q_values=len(self.steps) > 1)
                )
            ]
        self.anchor = self.now
        return [*answer, self._playback(), *self._show(step)]

    def leave_replay(self) -> list[Summary]:
        if self.replay is None:
            return [("error", "not_in_replay")]
        self.playing = False
        return [*self._end_replay(), self._playback(), self.last]

    def set_view(self, q_values: bool, attention: bool) -> list[Summary]:
        self.view = (q_values, attention)
        return [("view", *self.view)]

    @property
    def _shows_recording(self) -> bool:
        return self.replay is not None and self.replay.recording is not None

    def _playback(self) -> Summary:
        controller = "human" if self.human else "policy"
        return "playback", self.playing, self.speed, "recording" if self.replay is not None else controller

    def _begin_if_over(self) -> list[Summary]:
        return self._begin() if self.over else []

    def _begin(self) -> list[Summary]:
        self._count_episode()
        self.steps = []
        self.world.reset()
        return [("episode_start", self.episode, self.model), self._frame(0)]

    def _advance(self, action: int) -> list[Summary]:
        self.world.step([action])
        frame = self._frame(action)
        return [frame, *(self._end("meter_depleted") if self.world.over[0] else [])]

    def _count_episode(self) -> None:
        self.episode += self.over
        self.over = False

    def _leave(self, reason: str) -> list[Summary]:
        return self._end(reason) if len(self.steps) > 1 else []

    def _end(self, reason: str) -> list[Summary]:
        if self.over:
            return []
        self.over = True
        return [("episode_end", self.episode, len(self.steps) - 1, reason)]

    def _frame(self, action: int) -> Summary:
        self.steps.append(_step(self.world, action, self.visited))
        self.last = self._frame_summary(self.episode, len(self.steps) - 1, self.steps[-1], self.view[0])
        return self.last

    def _frame_summary(self, episode: int, step: int, at: ReferenceStep, shows_q_values: bool) -> Summary:
        return "frame", episode, step, at.action, at.cell, at.done, len(at.visited), shows_q_values

    # --- replays --------------------------------------------------------------------------------------------

    def _begin_replay(self, replay: ReferenceReplay) -> Summary:
        self.replay, self.at = replay, 0
        return "replay_started", replay.recording, replay.episode, replay.last

    def _end_replay(self) -> list[Summary]:
        if self.replay is None:
            return []
        recording, self.replay = self.replay.recording, None
        return [("replay_ended", recording)]

    def _show(self, step: int) -> list[Summary]:
        assert self.replay is not None
        self.at = min(step, self.replay.last)
        step_shown = self.replay.steps[self.at]
        return [
            self._frame_summary(
                self.replay.episode, self.at, step_shown, self.view[0] and self.replay.has_q_values
            )
        ]

    def _branch_if_rewound(self) -> list[Summary]:
        return [] if self._shows_recording else self._branch()

    def _branch(self) -> list[Summary]:
        """Continue from the step on screen if a replay is on; at its end, its episode continues."""
        replay, at = self.replay, self.at
        answer = self._end_replay()
        if replay is None or (replay.recording is None and at == replay.last):
            return answer
        answer += self._leave("reset")
        self._count_episode()
        self.steps = list(replay.steps[: at + 1])
        self.visited = set(self.steps[at].visited)
        self.world.set_state(0, self.steps[at].state)
        self.last = self._frame_summary(
            self.episode, at, self.steps[at], self.view[0] and replay.has_q_values
        )
        return [*answer, ("branched", self.episode, self.model, at, replay.recording)]
