"""The world of a session, and the models that its agents play there."""

from typing import TYPE_CHECKING

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from hamlet_trio.common.agents import AGENT_IDS, AgentId
from hamlet_trio.inference.engine import TooManyWorldsError
from hamlet_trio.inference.live_episode import LiveEpisode
from hamlet_trio.inference.message_sender import MessageSender
from hamlet_trio.inference.policies import LoadedPolicy, PolicyLease
from hamlet_trio.inference.refusals import too_many_worlds, unknown_agent, unreadable_world
from hamlet_trio.protocol import commands, messages
from hamlet_trio.protocol.errors import BadMessageError
from hamlet_trio.protocol.world_info import WorldInfo, with_company, world_info
from hamlet_trio.world.world_file import World

if TYPE_CHECKING:
    from hamlet_trio.inference.replay_player import ReplayPlayer


class SessionWorld:
    """Change which world a session plays in and which models play there, and tell the client.

    Each change ends the episode; the caller begins the next one. Where a method raises `BadMessageError`,
    nothing has changed.
    """

    def __init__(
        self, episode: LiveEpisode, replay: "ReplayPlayer", lease: PolicyLease, sender: MessageSender
    ) -> None:
        self._episode = episode
        self._replay = replay
        self._lease = lease
        self._sender = sender
        self._world = World(config=episode.config)
        self._is_chosen = False

    @property
    def world(self) -> World:
        """The world."""
        return self._world

    @property
    def is_chosen(self) -> bool:
        """Whether it was chosen by `set_world`, so that models do not bring their own."""
        return self._is_chosen

    def resume(self, world: World, *, is_chosen: bool) -> None:
        """Take over the world of another connection's session, in which the episode is already."""
        self._world, self._is_chosen = world, is_chosen

    @property
    def info(self) -> WorldInfo:
        """What messages tell of the world."""
        return world_info(self._world)

    def number(self, agent: AgentId | UnsetType, command: str) -> int:
        """Return the number of the agent that a command names, by default the first one's.

        Raises `BadMessageError` if the session has fewer agents.
        """
        number = 0 if agent is UNSET else AGENT_IDS.index(agent)
        if number >= self._episode.num_agents:
            raise unknown_agent(self._episode.num_agents, command)
        return number

    def shown_number(self, agent: AgentId, command: str) -> int:
        """Return the number of an agent that can be followed, in the session or on screen.

        Raises `BadMessageError` if there are fewer.
        """
        number = AGENT_IDS.index(agent)
        if number >= self._replay.num_agents:
            raise unknown_agent(self._replay.num_agents, command)
        return number

    async def change_model(self, model: LoadedPolicy, agent: AgentId | UnsetType) -> None:
        """Let a loaded model play, of one agent or of all.

        One that all are to play brings its own world, unless one was chosen.
        """
        assert model.name is not None  # only files are loaded on command
        episode, before = self._episode, self._episode.models
        try:
            number = self.number(agent, "load_model")
            world = self._world
            if agent is UNSET and not self._is_chosen:
                world = World(config=model.config)
            if not model.fits(world.config):
                raise unreadable_world(model, world.config, "load_model")
            changes = await self._enter(world, "load_model")
        except BadMessageError:
            self._lease.release(model)
            raise
        models = [model] if agent is UNSET else [*before[:number], model, *before[number + 1 :]]
        if model in before:
            self._lease.release(model)  # one use of each model is held, however many agents play it
        episode.change_models(models)
        self._release_unused(before)
        if changes:
            await self._sender.send(messages.WorldSet(self.info))
        await self._sender.send(messages.ModelLoaded(model.name, model.network_type, agent))
        await self._replay.end()
        await episode.leave("model_changed")

    async def change_world(self, world: World | None, command: commands.SetWorld, *, by_person: bool) -> None:
        """Play in a world, None for the same, with as many agents as the command says.

        A person who plays alone (`by_person`) needs no model that can read it: the untrained agent stands in.
        """
        chosen = self._world if world is None else world
        chosen = with_company(chosen, command.num_agents, command.contention, "set_world")
        before = self._episode.models
        unfit = next((model for model in before if not model.fits(chosen.config)), None)
        stands_in = unfit is not None and by_person and chosen.config.num_agents == 1
        if unfit is not None and not stands_in:
            raise unreadable_world(unfit, chosen.config, "set_world")
        await self._enter(chosen, "set_world")
        if stands_in:
            untrained = self._lease.acquire_untrained()
            self._episode.change_models([untrained])
            await self._sender.send(messages.ModelLoaded(None, untrained.network_type))
        else:
            self._episode.fit_models()
        self._release_unused(before)
        self._is_chosen = True
        await self._replay.end()
        await self._episode.leave("reset")
        await self._sender.send(messages.WorldSet(self.info))

    async def _enter(self, world: World, command: str) -> bool:
        """Let the next episode begin in a world; return whether it is another. The models must fit it."""
        episode = self._episode
        changes = world.config != episode.config
        try:
            await episode.move(world.config)
        except TooManyWorldsError as error:
            raise too_many_worlds(error.most, command) from None
        if episode.view.agent >= episode.num_agents:
            episode.view = replace(episode.view, agent=0)
        self._world = world
        return changes

    def _release_unused(self, before: list[LoadedPolicy]) -> None:
        for model in dict.fromkeys(before):
            if model not in self._episode.models:
                self._lease.release(model)
