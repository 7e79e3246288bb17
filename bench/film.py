"""Time the making of a film of 500 steps at 1080p on one core.

    python -m bench film [--steps 500] [--kinds mp4 webm gif] [--limit 30]

The film process and its encoder are bound to one core at normal priority. Processor time of that core counts,
so a busy machine does not distort it. The exit code is 1 if a film takes longer than the limit.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from hamlet_trio.agent.checkpoint import load_checkpoint
from hamlet_trio.agent.policy import Policy
from hamlet_trio.film.formats import FORMATS
from hamlet_trio.film.render import make_film
from hamlet_trio.recording.capture import make_recording
from hamlet_trio.recording.file import Recording
from hamlet_trio.world import WorldConfig, Worlds

_MODEL = Path(__file__).parent.parent / "models" / "trained_agent.pt"


def main(arguments: list[str]) -> None:
    """Make each film once and print a line for it."""
    parser = argparse.ArgumentParser(prog="python -m bench film")
    parser.add_argument("--steps", type=int, default=500, help="steps of the recording")
    parser.add_argument("--kinds", nargs="+", choices=FORMATS, default=["mp4"], help="which formats")
    parser.add_argument("--limit", type=float, default=30.0, help="seconds of the core that a film may take")
    options = parser.parse_args(arguments)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    recording = _recording(options.steps)
    too_slow = False
    with tempfile.TemporaryDirectory() as folder:
        for kind in options.kinds:
            path = Path(folder) / f"film.{kind}"
            began, before = time.perf_counter(), os.times()
            make_film(recording, path)
            seconds, after = time.perf_counter() - began, os.times()
            used = sum(after[:4]) - sum(before[:4])
            too_slow |= used > options.limit
            size = path.stat().st_size / 1e6
            print(
                f"{kind}: {options.steps} steps in {seconds:.1f} s, {used:.1f} s of processor, {size:.1f} MB"
            )
    if too_slow:
        sys.exit(f"A film took more than {options.limit:g} s.")


def _recording(steps: int) -> Recording:
    """Record an episode of the shipped model, which lives to the last step."""
    config = WorldConfig(max_steps=steps)
    policy = Policy.from_checkpoint(load_checkpoint(_MODEL, width=config.width, height=config.height))
    worlds = Worlds(1, config)
    start = worlds.get_state(0)
    actions = bytearray()
    while not worlds.over[0]:
        actions.append(int(policy.act(worlds.observe()[0]).actions[0]))
        worlds.step([actions[-1]])
    if len(actions) < steps:
        sys.exit(f"The agent of {_MODEL.name} lived {len(actions)} steps only; ask for fewer.")
    return make_recording(
        config,
        start,
        bytes(actions),
        reasons=["asked_for"],
        source="session",
        episode=1,
        model=_MODEL.name,
        policy=policy,
    )
