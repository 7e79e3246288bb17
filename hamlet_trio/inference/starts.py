"""Where a session's episodes begin: at the usual start, at random, or as the client chose."""

from typing import Final

import msgspec
from msgspec import UNSET

from hamlet_trio.common.agents import AGENT_IDS
from hamlet_trio.inference.chosen_meters import raw_values
from hamlet_trio.inference.refusals import unknown_agent
from hamlet_trio.protocol.commands import ChosenMeters, SetStart
from hamlet_trio.protocol.errors import BadMessageError, ErrorCode
from hamlet_trio.protocol.inference_messages import StartKind
from hamlet_trio.world import METERS, WorldConfig, Worlds, WorldState

_USUAL: Final = SetStart()


class EpisodeStarts:
    """Give the start of each of a session's episodes.

    A cell and meters are chosen for one agent; all others begin as if nothing were chosen.

    `usual` is the state in which episodes begin as long as nothing else is chosen. `random` says whether a
    session that comes from another world began at random there.
    """

    def __init__(self, config: WorldConfig, usual: WorldState, *, random: bool = False) -> None:
        self._config = config
        self._usual = usual
        self._choice, self._agent = SetStart(random=random), 0
        self._worlds: Worlds | None = None  # made for the first random start, since that takes milliseconds
        self._upcoming: WorldState | None = None

    @property
    def random(self) -> bool:
        """Whether what was not chosen is drawn."""
        return self._choice.random

    @property
    def choice(self) -> SetStart:
        """What was chosen."""
        return self._choice

    @property
    def kind(self) -> StartKind:
        """How the next episode begins."""
        if self._choice.random:
            return "random"
        return "usual" if self._choice == _USUAL else "chosen"

    def choose(self, choice: SetStart, *, upcoming: WorldState | None = None) -> None:
        """Begin the next episodes as `set_start` says; the very next one in `upcoming`, where that is known.

        Raises `BadMessageError` for an agent that is not there, a cell outside of the grid, and a meter
        outside of its limits or so empty that the episode would be over. Nothing has changed then.
        """
        if choice.cell is not UNSET:
            self._check_cell(choice.cell)
        if choice.meters is not UNSET:
            raw_values(self._config, choice.meters, "set_start")
        agent = 0 if choice.agent is UNSET else AGENT_IDS.index(choice.agent)
        if agent >= self._config.num_agents:
            raise unknown_agent(self._config.num_agents, "set_start")
        if choice.meters == ChosenMeters():
            choice = msgspec.structs.replace(choice, meters=UNSET)
        self._agent, self._choice = agent, msgspec.structs.replace(choice, agent=UNSET)
        self._upcoming = upcoming

    def foresee(self) -> WorldState | None:
        """Return the state that `next_state` will return, where that is drawn."""
        if self._upcoming is None and self.random:
            self._upcoming = self._draw()
        return self._upcoming

    def next_state(self) -> WorldState:
        """Return the state in which the next episode begins; with `random` each is another one."""
        state = self._draw() if self._upcoming is None else self._upcoming
        self._upcoming = None
        return state

    def _draw(self) -> WorldState:
        state = self._usual
        if self._choice.random:
            if self._worlds is None:
                self._worlds = Worlds(1, self._config)
            self._worlds.reset(random_start=True)
            state = self._worlds.get_state(0)
        choice, agent = self._choice, self._agent
        if choice.cell is not UNSET:
            x, y = choice.cell
            positions = (*state.positions[:agent], (x, y), *state.positions[agent + 1 :])
            state = msgspec.structs.replace(state, positions=positions)
        if choice.meters is not UNSET:
            meters = list(state.meters[agent])
            for name, value in raw_values(self._config, choice.meters, "set_start").items():
                meters[METERS.index(name)] = value
            energy, hygiene, satiation, money, mood, social = meters
            own = (energy, hygiene, satiation, money, mood, social)
            state = msgspec.structs.replace(
                state, meters=(*state.meters[:agent], own, *state.meters[agent + 1 :])
            )
        return state

    def _check_cell(self, cell: list[int]) -> None:
        x, y = cell
        width, height = self._config.width, self._config.height
        if x >= width or y >= height:
            allowed = f"[x, y] with x from 0 to {width - 1} and y from 0 to {height - 1}"
            raise BadMessageError(
                ErrorCode.OUT_OF_RANGE,
                f"`cell` must be {allowed} in this world; [{x}, {y}] was sent.",
                command="set_start",
                field="cell",
            )
