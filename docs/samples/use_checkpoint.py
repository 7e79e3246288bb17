"""Load a checkpoint, or the shipped one, and let it choose: python docs/samples/use_checkpoint.py [FILE]"""

import sys
from pathlib import Path

from hamlet_trio.agent.checkpoint import CheckpointError, load_checkpoint
from hamlet_trio.agent.policy import Policy
from hamlet_trio.settings import load_settings
from hamlet_trio.world import ACTIONS, Worlds

shipped = Path(load_settings().models_dir) / "trained_agent.pt"
path = Path(sys.argv[1]) if len(sys.argv) > 1 else shipped
try:
    checkpoint = load_checkpoint(path)
except CheckpointError as error:
    sys.exit(str(error))
policy = Policy.from_checkpoint(checkpoint)
worlds = Worlds(1)
while not worlds.over.all():
    output = policy.act(worlds.observe()[:, 0])
    worlds.step(output.actions)
print(f"{checkpoint.spec.network_type}: lived {worlds.steps[0]} steps, last did {ACTIONS[output.actions[0]]}")
