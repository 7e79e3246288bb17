"""A session's policy maps: what its model would do in every cell, made beside its play."""

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import trio
from msgspec import UNSET, UnsetType

from hamlet_trio.common.agents import AGENT_IDS, AgentId
from hamlet_trio.inference.chosen_meters import normalised_values
from hamlet_trio.inference.engine import PolicyEngine
from hamlet_trio.inference.errors import EngineError
from hamlet_trio.inference.live_episode import LiveEpisode
from hamlet_trio.inference.map_queue import MapRequest
from hamlet_trio.inference.message_sender import MessageSender
from hamlet_trio.inference.refusals import refusal, unknown_agent, unreadable_world
from hamlet_trio.inference.replay_player import ReplayPlayer
from hamlet_trio.protocol.commands import ChosenMeters, GetPolicyMap
from hamlet_trio.protocol.errors import ErrorCode
from hamlet_trio.protocol.frame_parts import Meters
from hamlet_trio.protocol.messages import PolicyMap
from hamlet_trio.world import WorldConfig

if TYPE_CHECKING:
    from hamlet_trio.agent.policy import Policy

MAP_SECONDS: Final = 0.2
"""Between the beginnings of two maps of a session, at least."""

_DIGITS: Final = 3


class _Situation(NamedTuple):
    """What a map is to be made of. `normalised` has the meters in the order of METERS."""

    policy: "Policy"
    model_name: str | None
    config: WorldConfig
    episode: int
    step: int
    meters: Meters
    normalised: list[float]
    others: list[int]
    agent: AgentId | UnsetType


class PolicyMapper:
    """Make the policy maps that one session asks for, one after another.

    The engine makes them when no session waits for a step, so a map slows no session. Bounds: one map is in
    the making and one waits. A newer one takes the place of the one that waits, which is not answered; and a
    session's maps begin at least `MAP_SECONDS` apart.

    Its task begins in `nursery` with the first map: most sessions never ask for one.
    """

    def __init__(self, engine: PolicyEngine, sender: MessageSender, nursery: trio.Nursery) -> None:
        self._engine = engine
        self._sender = sender
        self._newest: _Situation | None = None
        self._asked = trio.lowlevel.ParkingLot()
        self._nursery = nursery
        self._has_begun = False

    def ask(self, command: GetPolicyMap, episode: LiveEpisode, replay: ReplayPlayer) -> None:
        """Ask for a map of the situation on screen, in the replay if one is on.

        Raises `BadMessageError` where the model cannot read the world, and for meters that it cannot have.
        """
        config, frame = (episode.config, episode.shown) if replay.shown is None else replay.shown
        agent = _asked(command, episode, config)
        agent_id = AGENT_IDS[agent]
        # A recording may have more agents than the session has models.
        model = episode.models[agent if agent < len(episode.models) else 0]
        if not model.fits(config):
            raise unreadable_world(model, config, "get_policy_map")
        chosen = ChosenMeters() if command.meters is UNSET else command.meters
        shown = frame.agents[agent_id].meters
        meters, normalised = normalised_values(config, shown, chosen, "get_policy_map")
        self._newest = _Situation(
            policy=model.in_world(config),
            model_name=model.name,
            config=config,
            episode=frame.episode,
            step=frame.step,
            meters=meters,
            normalised=normalised,
            others=[
                other.y * config.width + other.x
                for other in frame.grid.agents
                if other.id != agent_id and frame.agents[other.id].alive is not False
            ],
            agent=agent_id if config.num_agents > 1 else UNSET,
        )
        if not self._has_begun:
            self._has_begun = True
            self._nursery.start_soon(self._run)
        self._asked.unpark()

    async def _run(self) -> None:
        """Make the maps that are asked for, until cancelled."""
        while True:
            while self._newest is None:
                await self._asked.park()
            begun = trio.current_time()
            situation, self._newest = self._newest, None
            await self._make(situation)
            await trio.sleep_until(begun + MAP_SECONDS)

    async def _make(self, situation: _Situation) -> None:
        """Make a map and send it."""
        config = situation.config
        request = MapRequest(situation.policy, config, situation.normalised, situation.others)
        try:
            await self._engine.map(request)
        except EngineError:
            # The engine has logged the cause. The session plays on.
            await self._sender.refuse(refusal(ErrorCode.INTERNAL_ERROR, "get_policy_map"))
            return
        await self._sender.send(
            PolicyMap(
                episode=situation.episode,
                step=situation.step,
                model_name=situation.model_name,
                width=config.width,
                height=config.height,
                meters=situation.meters,
                actions=request.actions.tolist(),
                values=np.round(request.values.astype(np.float64), _DIGITS).tolist(),
                agent=situation.agent,
            )
        )


def _asked(command: GetPolicyMap, episode: LiveEpisode, config: WorldConfig) -> int:
    """Return the number of the agent that is asked; raises `BadMessageError` for one that is not there."""
    if command.agent is UNSET:
        return episode.view.agent if episode.view.agent < config.num_agents else 0
    agent = AGENT_IDS.index(command.agent)
    if agent >= config.num_agents:
        raise unknown_agent(config.num_agents, "get_policy_map")
    return agent
