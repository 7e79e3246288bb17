"""Load a checkpoint and let it choose: python docs/samples/use_checkpoint.py [models/trained_agent.pt]"""

import sys

from hamlet_trio.agent.checkpoint import CheckpointError, load_checkpoint
from hamlet_trio.agent.policy import Policy
from hamlet_trio.world import ACTIONS, Worlds

path = sys.argv[1] if len(sys.argv) > 1 else "models/trained_agent.pt"
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
