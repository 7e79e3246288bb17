"""Train one lesson with four seeds at once: python docs/samples/sweep.py [EPISODES] [DATA_DIR]"""

import sys

from hamlet_trio.protocol.sweeps import SweepParameters
from hamlet_trio.settings import load_settings
from hamlet_trio.training.sweep.local_sweep import train_sweep


def main(episodes: int, data_dir: str) -> None:
    """Print how long each seed's agent survives, and the best model."""
    lesson = SweepParameters(seeds=[1, 2, 3, 4], settings={"num_episodes": [episodes]})
    status = train_sweep(lesson, load_settings(data_dir=data_dir))
    for trial in status.trials:
        if trial.result is not None:
            print(f"seed {trial.seed}: {trial.result.length:.0f} steps from random starts")
    for group in status.result.groups:
        print(f"median {group.median:.0f}, from {group.worst:.0f} to {group.best:.0f}")
    print(f"the best model is {status.result.model}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 100, sys.argv[2] if sys.argv[2:] else "data")
