"""Write the examples that test the page's reader of compact frames: `python -m tests.protocol.examples`."""

import json
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from hamlet_trio.inference.replay import PlayedEpisode, Replay
from hamlet_trio.protocol.compact import BroadcastCompactor, SessionCompactor
from hamlet_trio.protocol.frames import PolicyView, heat_map_of
from hamlet_trio.protocol.messages import encode
from hamlet_trio.recording.file import PolicyOutputs
from hamlet_trio.recording.trajectory import play_company
from hamlet_trio.training.orders import EpisodeReport
from hamlet_trio.training.showcase import frames_of
from hamlet_trio.world import WorldConfig, Worlds
from scripts.doc_tables.pages import REPOSITORY

FILE: Final[Path] = REPOSITORY / "frontend" / "tests" / "compact.json"
_EMPTY: Final = (1.0, 9.0, 9.0, 3.0, 9.0, 9.0)


def examples() -> list[dict[str, Any]]:
    """Return episodes on both endpoints, of one agent and of several: what is sent, and the full frames."""
    one, two = WorldConfig(width=9), WorldConfig(num_agents=2, contention=True)
    return [
        {"name": "a session", **_session(_episode(one, [3, 4, 4]))},
        {"name": "a session of several agents, one of which fails", **_session(_episode(two, [4, 4] * 3))},
        {"name": "a broadcast", **_broadcast(_episode(one, [3, 4, 4]))},
        {"name": "a broadcast of several agents", **_broadcast(_episode(two, [4, 4] * 3))},
    ]


def _episode(config: WorldConfig, actions: list[int]) -> PlayedEpisode:
    start = Worlds(1, config).get_state(0)
    if config.num_agents > 1:
        start = msgspec.structs.replace(start, positions=((1, 1), (1, 1)), meters=(start.meters[0], _EMPTY))
    return PlayedEpisode(config=config, start=start, actions=bytes(actions), episode=1, model_name=None)


def _session(played: PlayedEpisode) -> dict[str, Any]:
    trajectories = play_company(played.config, played.start, played.actions)
    replay = Replay(
        played,
        trajectories,
        recording=None,
        markers=(),
        outputs=[
            PolicyOutputs(
                np.linspace(-1, 1, 5 * one.lived, dtype=np.float32).reshape(-1, 5),
                np.linspace(0, 1, 36 * one.lived, dtype=np.float32).reshape(-1, 6, 6),
                np.linspace(0, 9, 2 * one.lived, dtype=np.float32).reshape(-1, 2),
                ("Bed", "Job"),
            )
            for one in trajectories
        ],
        visits_before={"1,1": 2},
    )
    compactor, view = SessionCompactor(), PolicyView(q_values=True, attention=True)
    sent, full = [], []
    for step in range(replay.steps + 1):
        visits = replay.visits_at(step)
        frame = replay.frame_of_visits(step, view, visits)
        sent.append(json.loads(compactor.encode(frame, visits)))
        full.append(json.loads(encode(frame)))
    return {"sent": sent, "full": full}


def _broadcast(played: PlayedEpisode) -> dict[str, Any]:
    report = EpisodeReport(
        episode=1,
        epsilon=0.3,
        config=msgspec.to_builtins(played.config),
        start=msgspec.to_builtins(played.start),
        actions=played.actions,
        heat_map={},
    )
    compactor = BroadcastCompactor()
    sent, full = [], []
    for frame in frames_of(report):
        visits = {"1,1": 9} | {f"{step},0": frame.step for step in range(frame.step + 1)}
        text = encode(msgspec.structs.replace(frame, heat_map=heat_map_of(visits)))
        made = compactor.encode(text)
        sent.append(json.loads(made.compact or made.base.text))
        full.append(json.loads(text))
    return {"sent": sent, "full": full}


if __name__ == "__main__":
    FILE.write_text(json.dumps(examples()) + "\n", encoding="utf-8")
