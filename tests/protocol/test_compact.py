"""Compact frames: whichever are sent, what they stand for are the full frames, to the last bit."""

import json

import msgspec
import numpy as np
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from hamlet_trio.inference.replay import PlayedEpisode, Replay
from hamlet_trio.protocol.compact import SessionCompactor
from hamlet_trio.protocol.frames import PolicyView, heat_map_of
from hamlet_trio.protocol.messages import InferenceMessage, TrainingMessage, encode
from hamlet_trio.recording.file import PolicyOutputs
from hamlet_trio.recording.trajectory import Trajectory, play_company
from hamlet_trio.training.hub import Hub
from hamlet_trio.training.orders import EpisodeReport
from hamlet_trio.training.showcase import frames_of
from hamlet_trio.world import WorldConfig, Worlds
from tests.protocol.examples import FILE, examples
from tests.protocol.reader import Reader, canonical

WORLDS = (
    WorldConfig(),
    WorldConfig(width=9, height=8),  # whose cells take two digits
    WorldConfig(num_agents=2, contention=True),
    WorldConfig(num_agents=3),
)


@st.composite
def episodes(draw: st.DrawFn) -> PlayedEpisode:
    """An episode in one of several worlds, from full or nearly empty meters."""
    config = draw(st.sampled_from(WORLDS))
    usual = Worlds(1, config).get_state(0)
    level = draw(st.sampled_from([None, 1.0, 4.0]))
    start = usual
    if level is not None:
        start = msgspec.structs.replace(usual, meters=((level, 9.0, 9.0, 3.0, 9.0, 9.0), *usual.meters[1:]))
    world = Worlds(1, config)
    world.set_state(0, start)
    actions = bytearray()
    for row in draw(st.lists(st.lists(st.integers(0, 4), min_size=3, max_size=3), min_size=1, max_size=40)):
        if world.over[0]:
            break
        actions += bytes(row[: config.num_agents])
        world.step([row[: config.num_agents]])
    return PlayedEpisode(config=config, start=start, actions=bytes(actions), episode=3, model_name=None)


def outputs_for(one: Trajectory, seed: int) -> PolicyOutputs:
    """Return outputs as a policy with attention and options has them, or one without either."""
    random = np.random.default_rng(seed)
    if seed % 2:
        return PolicyOutputs(random.normal(size=(one.lived, 5)).astype(np.float32))
    return PolicyOutputs(
        random.normal(size=(one.lived, 5)).astype(np.float32),
        random.random((one.lived, 6, 6)).astype(np.float32),
        random.normal(size=(one.lived, 2)).astype(np.float32),
        ("Bed", "Job"),
    )


views = st.builds(PolicyView, q_values=st.booleans(), attention=st.booleans())
moves = st.lists(st.one_of(st.none(), st.none(), st.none(), st.integers(0, 40), views), max_size=60)


@given(played=episodes(), seed=st.integers(0, 3), moves=moves)
@settings(max_examples=30, deadline=None)
def test_a_sessions_compact_frames_stand_for_its_full_ones(
    played: PlayedEpisode, seed: int, moves: list[int | PolicyView | None]
) -> None:
    trajectories = play_company(played.config, played.start, played.actions)
    replay = Replay(
        played,
        trajectories,
        recording=None,
        markers=(),
        outputs=[outputs_for(one, seed) for one in trajectories],
        visits_before={"4,4": 700, "0,3": 2},
    )
    compactor, reader, view, step = SessionCompactor(), Reader(InferenceMessage), PolicyView(), 0
    for move in moves:
        match move:
            case PolicyView():
                view = move
            case None:
                step = min(step + 1, replay.steps)
            case _:
                step = min(move, replay.steps)
        visits = replay.visits_at(step)
        frame = replay.frame_of_visits(step, view, visits)
        assert reader.read(compactor.encode(frame, visits)) == canonical(json.loads(encode(frame)))


def test_most_frames_are_sent_compactly_and_a_full_one_follows_when_the_changes_have_grown() -> None:
    config = WorldConfig()
    actions = (bytes([3]) * 3 + bytes([2]) * 3) * 10
    played = PlayedEpisode(
        config=config, start=Worlds(1, config).get_state(0), actions=actions, episode=1, model_name=None
    )
    replay = Replay(
        played,
        play_company(config, played.start, actions),
        recording=None,
        markers=(),
        outputs=[PolicyOutputs()],
        visits_before={},
    )
    compactor, reader, sizes = SessionCompactor(), Reader(InferenceMessage), list[int]()
    for step in range(replay.steps + 1):
        visits = replay.visits_at(step)
        text = compactor.encode(replay.frame_of_visits(step, PolicyView(), visits), visits)
        reader.read(text)
        sizes.append(len(text))
    assert 0.9 * len(sizes) < reader.deltas < len(sizes) - 1, reader.deltas
    assert sum(sizes) / len(sizes) < 300


@given(played=episodes(), reads=st.lists(st.integers(0, 4), min_size=40, max_size=40), data=st.data())
@settings(max_examples=20, deadline=None)
def test_a_broadcasts_compact_frames_stand_for_its_full_ones_whichever_are_dropped(
    played: PlayedEpisode, reads: list[int], data: st.DataObject
) -> None:
    report = EpisodeReport(
        episode=2,
        epsilon=0.25,
        config=msgspec.to_builtins(played.config),
        start=msgspec.to_builtins(played.start),
        actions=played.actions,
        heat_map={},
    )
    trio.run(_watch, report, reads, data)


async def _watch(report: EpisodeReport, reads: list[int], data: st.DataObject) -> None:
    """Broadcast an episode to a viewer that takes some frames after each; its queue has room for two."""
    visits, sent, reader = {"1,1": 3}, list[str](), Reader(TrainingMessage)
    hub = Hub(max_events=9, max_frames=2, on_watched=lambda _: None)
    with hub.joined("slow") as slow, hub.joined("plain") as plain:
        hub.show(slow, "compact")
        assert slow.texts(await slow.queue.get()) == ('{"type":"view","frames":"compact"}',)
        for frame, count in zip(frames_of(report), reads, strict=False):
            for marker in frame.agents:
                cell = f"{marker.x},{marker.y}"
                visits[cell] = visits.get(cell, 0) + data.draw(st.integers(0, 3))
            text = encode(msgspec.structs.replace(frame, heat_map=heat_map_of(visits)))
            hub.broadcast_frame(text)
            sent.append(canonical(json.loads(text)))
            assert plain.texts(await plain.queue.get()) == (text,)
            for _ in range(min(count, slow.queue.statistics().droppable)):
                waiting = slow.queue.statistics().droppable
                *_, shown = [reader.read(one) for one in slow.texts(await slow.queue.get())]
                assert shown == sent[-waiting]


def test_the_page_is_tested_by_what_the_server_sends() -> None:
    made, written = examples(), json.loads(FILE.read_text(encoding="utf-8"))
    assert written == json.loads(json.dumps(made)), "write them anew: python -m tests.protocol.examples"
    forms = [[frame["type"] for frame in example["sent"]] for example in made]
    assert all(form[0] == "state_update" and form.count("delta") == len(form) - 1 >= 2 for form in forms), (
        forms
    )
