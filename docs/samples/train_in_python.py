"""Train in a world of one's own: python docs/samples/train_in_python.py OUT.pt [episodes]"""

import sys
from pathlib import Path

import torch

from hamlet_trio.agent.checkpoint import load_checkpoint
from hamlet_trio.agent.evaluation import evaluate
from hamlet_trio.agent.policy import Policy
from hamlet_trio.protocol.parameters import TrainingParameters
from hamlet_trio.settings import load_settings
from hamlet_trio.training.listener import RunListener
from hamlet_trio.training.local_run import train_to_file
from hamlet_trio.world.world_file import as_fields, make_world


class Curve(RunListener):
    """Print every tenth episode."""

    def on_episode(self, complete):
        if complete.episode % 10 == 0:
            print(f"{complete.episode}: {complete.length} steps, return {complete.reward:.1f}")


torch.set_num_threads(1)
out, episodes = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 20
world = make_world(
    {
        "affordances": {"Gym": False, "Bar": {"x": 4, "y": 3}},
        "shaped": {"interaction_scale": 0.0},
    }
)
parameters = TrainingParameters(num_episodes=episodes, seed=1, world=as_fields(world))
result = train_to_file(parameters, load_settings(), out=out, overwrite=True, listener=Curve())
policy = Policy.from_checkpoint(load_checkpoint(out))
found = evaluate(policy, world.config, episodes=20, seed=1, random_start=True)
print(f"{result.steps} steps learnt from; lives {found.mean_length:.0f} steps from random starts")
