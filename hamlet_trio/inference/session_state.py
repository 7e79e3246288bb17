"""What a session is besides its episode, and how it goes on on another connection."""

from typing import Final, TypedDict, Unpack

import trio
from msgspec import UNSET

from hamlet_trio.common.agents import AGENT_IDS
from hamlet_trio.inference.class_board import ClassSeat
from hamlet_trio.inference.engine import TooManyWorldsError
from hamlet_trio.inference.load_queue import LoadQueue
from hamlet_trio.inference.message_sender import MessageSender
from hamlet_trio.inference.pace import Pace
from hamlet_trio.inference.policies import PolicyLease
from hamlet_trio.inference.policy_mapper import PolicyMapper
from hamlet_trio.inference.replay_player import ReplayPlayer
from hamlet_trio.inference.resumable_episode import ResumableEpisode
from hamlet_trio.inference.session_claim import ClaimedSession, SessionClaims
from hamlet_trio.inference.session_keeper import SNAPSHOT_FORM, KeptSession
from hamlet_trio.inference.session_snapshot import ModelFacts, SessionSnapshot
from hamlet_trio.inference.session_world import SessionWorld
from hamlet_trio.inference.statistics import SessionCounters
from hamlet_trio.protocol import messages
from hamlet_trio.world.world_file import World

_USUAL: Final = World()


class SessionParts(TypedDict):
    """The parts of a session that are made for its connection."""

    episode: ResumableEpisode
    replay: ReplayPlayer
    lease: PolicyLease
    loads: LoadQueue
    sender: MessageSender
    counters: SessionCounters
    maps: PolicyMapper
    kept: KeptSession
    claims: SessionClaims
    seat: ClassSeat


class SessionState:
    """The state of one session; the task of its controller alone changes it."""

    def __init__(self, **parts: Unpack[SessionParts]) -> None:
        self._episode = parts["episode"]
        self._replay = parts["replay"]
        self._lease = parts["lease"]
        self._loads = parts["loads"]
        self._sender = parts["sender"]
        self._counters = parts["counters"]
        self._maps = parts["maps"]
        self._kept = parts["kept"]
        self._claims = parts["claims"]
        self._seat = parts["seat"]
        self._pace = Pace(trio.current_time())
        self._playing = False
        self._human: int | None = None  # the number of the agent that a person plays
        self._world = SessionWorld(self._episode, self._replay, self._lease, self._sender)

    @property
    def _intermission(self) -> bool:
        """Whether the next turn begins an episode rather than making a step."""
        return self._episode.over and not self._replay.is_on

    async def _send_playback(self) -> None:
        controller: messages.Controller = "policy" if self._human is None else "human"
        if self._replay.is_on:
            controller = "recording"
        agent = UNSET if self._human is None or self._episode.num_agents == 1 else AGENT_IDS[self._human]
        await self._sender.send(messages.Playback(self._playing, self._pace.speed, controller, agent))

    def _count_for_class(self) -> None:
        """Count the life on the class leaderboard if a person led all of it, from the usual start."""
        episode = self._episode
        if episode.over and episode.led_by_person and self._world.world == _USUAL:
            self._seat.count(episode.shown.step, episode.shown.cumulative_reward)

    def _snapshot(self) -> SessionSnapshot:
        """Return all of the session, as another connection or instance can go on with it."""
        world = self._world.world
        return SessionSnapshot(
            form=SNAPSHOT_FORM,
            models=[
                None if model.name is None else ModelFacts(model.name, model.sha256)
                for model in self._episode.models
            ],
            world=None if world == _USUAL else world,
            world_chosen=self._world.is_chosen,
            episode=self._episode.facts(),
            playing=self._playing,
            human=self._human,
            speed=self._pace.speed,
            view=self._episode.view,
            replay=self._replay.facts(),
            min_intermission=self._pace.min_intermission,
            frames=self._sender.frames,
        )

    async def _take_over(self, claimed: ClaimedSession) -> None:
        """Go on with another connection's session, at the step that its client saw last."""
        snapshot, before = claimed.snapshot, set(self._episode.models)
        world = _USUAL if snapshot.world is None else snapshot.world
        try:
            await self._episode.take_over(snapshot.episode, claimed.models, world.config)
        except (TooManyWorldsError, ValueError) as error:
            raise self._claims.give_back(error, claimed.models) from error
        for model in before:
            self._lease.release(model)
        self._world.resume(world, is_chosen=snapshot.world_chosen)
        self._playing, self._human, self._episode.view = snapshot.playing, snapshot.human, snapshot.view
        missed = await self._episode.catch_up(claimed.seen, snapshot.human)
        self._sender.frames = snapshot.frames
        self._kept.begin()
        self._counters.resumed += 1
        now = trio.current_time()
        self._pace.min_intermission = snapshot.min_intermission
        self._pace.set_speed(snapshot.speed, now, self._intermission)
        self._pace.restart(now)
        await self._sender.send(
            messages.SessionResumed(
                self._kept.session_id,
                self._episode.shown.episode,
                self._episode.shown.step,
                self._episode.model.name,
                self._episode.model.network_type,
                self._world.info,
                missed,
                self._episode.num_agents,
                self._episode.model_names,
            )
        )
        await self._resume_replay(claimed)

    async def _resume_replay(self, claimed: ClaimedSession) -> None:
        """Show what was on screen: a recording, the episode rewound, or the episode itself."""
        shown = claimed.snapshot.replay
        if claimed.replay is not None:
            await self._replay.begin(claimed.replay)
        elif shown is not None and shown.recording is None:
            await self._replay.rewind()
        await self._send_playback()
        if shown is not None and self._replay.is_on:
            await self._replay.seek(shown.step)
        else:
            await self._episode.show_again()
