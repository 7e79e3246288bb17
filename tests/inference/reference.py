"""What a session must answer, written down plainly: the rules of a session without tasks, threads or time."""

from typing import TypeAlias

from hamlet_trio.world import Worlds
from tests.inference.support import DOWN, INTERACT, RIGHT

MODELS = {"trained_agent.pt": RIGHT, "down.pt": DOWN, "interact.pt": INTERACT}
"""The models of the tests' folder that always do the same, with what they do."""

Line: TypeAlias = tuple[object, ...]
"""A message in short: its type and what the rules fix about it."""


class ReferenceSession:
    """One session. A method that is called as a command returns what is sent in answer to it.

    `now` is in seconds since the connection; whoever waits moves it.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.playing = False
        self.human = False
        self.over = False
        self.speed = 1.0
        self.episode = 0
        self.steps = 0
        self.anchor = 0.0
        self.model = "trained_agent.pt"
        self.view = (False, False)
        self.world = Worlds(1)
        self.visited: set[tuple[int, int]] = set()

    def greet(self) -> list[Line]:
        return [("connected", self.model), *self._begin()]

    def deadline(self) -> float | None:
        """When the next turn is due, if one is."""
        if not self.playing or (self.human and not self.over):
            return None
        return self.anchor + (2.0 if self.over else 0.1) / self.speed

    def take_turn(self) -> list[Line]:
        """What happens at the deadline."""
        deadline = self.deadline()
        assert deadline is not None
        self.now = self.anchor = deadline
        return self._begin() if self.over else self._advance(MODELS[self.model])

    def play(self) -> list[Line]:
        was_playing, self.playing = self.playing, True
        answer = [self._playback()]
        if not was_playing:
            self.anchor = self.now
            if self.over:
                answer += self._begin()
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
        self.human = True
        return [self._playback()]

    def release_control(self) -> list[Line]:
        if self.human and not self.over:
            self.anchor = self.now
        self.human = False
        return [self._playback()]

    def act(self, action: int) -> list[Line]:
        if not self.human:
            return [("error", "not_in_control")]
        self.anchor = self.now
        return [*self._begin_if_over(), *self._advance(action)]

    def step(self) -> list[Line]:
        if self.human:
            return [("error", "human_in_control")]
        if self.playing:
            return [("error", "step_while_playing")]
        return [*self._begin_if_over(), *self._advance(MODELS[self.model])]

    def reset(self) -> list[Line]:
        self.anchor = self.now
        return [*self._end("reset"), *self._begin()]

    def load_model(self, model: str) -> list[Line]:
        if model not in MODELS:
            return [("error", "unknown_model")]
        self.model = model
        self.visited.clear()
        self.anchor = self.now
        return [("model_loaded", model), *self._end("model_changed"), *self._begin()]

    def set_view(self, q_values: bool, attention: bool) -> list[Line]:
        self.view = (q_values, attention)
        return [("view", *self.view)]

    def _playback(self) -> Line:
        return "playback", self.playing, self.speed, "human" if self.human else "policy"

    def _begin_if_over(self) -> list[Line]:
        return self._begin() if self.over else []

    def _begin(self) -> list[Line]:
        self.episode += 1
        self.steps = 0
        self.over = False
        self.world.reset()
        return [("episode_start", self.episode, self.model), self._frame(0)]

    def _advance(self, action: int) -> list[Line]:
        self.world.step([action])
        self.steps += 1
        frame = self._frame(action)
        return [frame, *(self._end("meter_depleted") if self.world.over[0] else [])]

    def _end(self, reason: str) -> list[Line]:
        if self.over:
            return []
        self.over = True
        return [("episode_end", self.episode, self.steps, reason)]

    def _frame(self, action: int) -> Line:
        x, y = self.world.positions[0, 0].tolist()
        self.visited.add((x, y))
        done = bool(self.world.over[0])
        return "frame", self.episode, self.steps, action, (x, y), done, len(self.visited), self.view[0]
