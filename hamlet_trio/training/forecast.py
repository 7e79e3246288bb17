"""Forecast how long a run will still take, from its last episodes and how long the coming ones will be."""

from collections import deque
from typing import Final

from hamlet_trio.protocol.episode import EpisodeComplete
from hamlet_trio.protocol.parameters import TrainingParameters

UPDATES: Final = 300
"""Updates in an episode of `DEFAULT_RECIPE`; one takes about as long as a step, evaluations included."""
EXPLORING: Final = 0.6
"""Share of a run of `DEFAULT_RECIPE` until epsilon is 0; from then on episodes are as long as they get."""
SURVIVAL: Final = 0.92
"""Mean length of the episodes after that, as a share of `max_steps`; measured with the default parameters."""
WINDOW: Final = 20
"""Episodes from which speed and length are taken."""


class Forecast:
    """Forecast the rest of one run. Memory: the last `WINDOW` episodes.

    An agent that learns lives longer and longer, so that the episodes to come take longer than those that
    were. Until epsilon is 0, lengths are taken to grow evenly up to `SURVIVAL`; later they stay what they
    are, also in a run that has learnt nothing. With the default parameters it is within a third of the truth
    from a fifth of a run on, in a live one to four fifths: the last three or four shown episodes are few,
    and one of them may end early.
    """

    def __init__(self) -> None:
        self._recent: deque[EpisodeComplete] = deque(maxlen=WINDOW)

    def clear(self) -> None:
        """Forget the run."""
        self._recent.clear()

    def append(self, record: EpisodeComplete) -> None:
        """Take note of the next episode."""
        self._recent.append(record)

    def seconds_left(self, parameters: TrainingParameters) -> float | None:
        """Return the seconds until the last episode ends, pauses aside; None before an episode has ended."""
        timed = [record for record in self._recent if record.steps_per_second > 0]
        if not timed:
            return None
        done, total = timed[-1].episode, parameters.num_episodes
        seconds = sum(record.length / record.steps_per_second for record in timed)
        speed = sum(UPDATES + record.length for record in timed) / seconds
        steps = self._steps_left(parameters, done)
        left = ((total - done) * UPDATES + steps) / speed
        if parameters.show == "live" and total > done:
            every = max(parameters.show_every, parameters.num_envs)  # of several worlds one is shown
            shown = (total - 1) // every - (done - 1) // every
            left += steps * shown / (total - done) * parameters.step_delay
        return left

    def _steps_left(self, parameters: TrainingParameters, done: int) -> float:
        """Return the steps of all episodes to come."""
        total = parameters.num_episodes
        length = sum(record.length for record in self._recent) / len(self._recent)
        growing = max(0, int(EXPLORING * total) - done)
        if not growing:
            return (total - done) * length
        longest = max(length, SURVIVAL * parameters.max_steps)
        return growing * (length + longest) / 2 + (total - done - growing) * longest
