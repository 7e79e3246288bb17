"""`python -m bench NAME [options]` runs one benchmark; without a name it lists them."""

import importlib
import sys

BENCHMARKS = {
    "film": "a film of 500 steps at 1080p, on one core",
    "isolation": "frame gaps of playing sessions without and with a training run at full speed",
    "learning": "survival after learning over seeds, beside plain DQN, stable-baselines3 and random play",
    "page": "the page's size, first view, drawing with four sessions at 10x, and memory",
    "sessions": "how many playing sessions one core carries, beside a bare app",
    "training": "environment steps a second learning at every step and acting, beside stable-baselines3",
    "world": "steps a second of 1 to 4,096 worlds, beside Gymnasium's",
    "soak": "a class at work while garbage, vanishing clients, killed trainers and a full disk surround it",
}


def main() -> int:
    """Run the benchmark named on the command line."""
    if len(sys.argv) < 2 or sys.argv[1] not in BENCHMARKS:
        width = max(map(len, BENCHMARKS))
        print("usage: python -m bench NAME [options]\n")
        for name, what in BENCHMARKS.items():
            print(f"  {name:<{width}}  {what}")
        return 2
    run = importlib.import_module(f"bench.{sys.argv[1]}").main
    run(sys.argv[2:])
    return 0


if __name__ == "__main__":
    sys.exit(main())
