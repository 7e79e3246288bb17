"""The recorded episodes of the reference rules, to 1e-6."""

import os
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from hamlet_trio.world import FAILURE_REASONS, METERS, Worlds

pytestmark = pytest.mark.usefixtures("each_way")

GOLDEN_DIR = Path(
    os.environ.get("HAMLET_GOLDEN_DIR") or Path(__file__).parents[2].parent / "shared" / "golden"
)


@pytest.fixture(scope="module")
def traces() -> list[dict[str, Any]]:
    path = GOLDEN_DIR / "world_traces.jsonl"
    if not path.is_file():
        pytest.skip("the reference data are not beside this checkout (../shared/golden)")
    return [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]


def compare(worlds: Worlds, index: int, reward: float, terminated: bool, row: dict[str, Any]) -> None:
    assert worlds.positions[index, 0].tolist() == [row["x"], row["y"]]
    np.testing.assert_allclose(worlds.meters[index, 0], row["meters"], rtol=0, atol=1e-6)
    assert abs(reward - row["reward"]) < 1e-6
    assert terminated == row["done"]
    assert FAILURE_REASONS[int(worlds.failure[index, 0])] == row["failure_reason"]


def test_each_recorded_episode_is_reproduced(traces: list[dict[str, Any]]) -> None:
    assert len(traces) == 24
    for trace in traces:
        worlds = Worlds(1)
        for row in trace["rows"]:
            assert len(row["meters"]) == len(METERS)
            result = worlds.step([row["action"]])
            compare(worlds, 0, result.rewards[0, 0], bool(result.terminated[0, 0]), row)
        np.testing.assert_allclose(worlds.observe()[0, 0], trace["last_observation"], rtol=0, atol=1e-6)


def test_all_recorded_episodes_at_once(traces: list[dict[str, Any]]) -> None:
    """Together, as a shrinking subset, with the worlds in another order than the traces."""
    worlds = Worlds(len(traces))
    slots = list(reversed(range(len(traces))))
    for step in range(max(len(trace["rows"]) for trace in traces)):
        live = [number for number, trace in enumerate(traces) if step < len(trace["rows"])]
        rows = [traces[number]["rows"][step] for number in live]
        result = worlds.step([row["action"] for row in rows], [slots[number] for number in live])
        for at, (number, row) in enumerate(zip(live, rows, strict=True)):
            compare(worlds, slots[number], result.rewards[at, 0], bool(result.terminated[at, 0]), row)
