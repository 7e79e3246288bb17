"""Run one benchmark: `python -m bench NAME [options]`; `all` runs those of speed, no name lists them."""

import importlib
import subprocess
import sys

SPEED = {
    "world": "steps a second of 1 to 4,096 worlds, beside Gymnasium's",
    "training": "environment steps a second learning at every step and acting, beside stable-baselines3",
    "sessions": "how many playing sessions one core carries, beside a bare app",
    "frames": "bytes and processor time of a frame in each form, beside plain Trio tasks",
    "isolation": "frame gaps of playing sessions without and with a training run at full speed",
    "policymap": "frame gaps of a playing class without and with five policy maps a second for each session",
    "rooms": "frame gaps of 50 playing sessions without and with a room whose 30 members all point",
    "worlds": "what sessions in 20 different worlds cost, beside as many in one",
    "instances": "sessions and viewers with Redis and without, at the instance that trains and at the other",
    "broadcast": "how many viewers of a run one core carries, also with dead ones, beside a bare app",
    "start": "how soon a server serves, and its memory, beside a bare app",
    "commands": "how long the command line takes to answer",
    "page": "the page's weight, first view, and what four sessions at 10x cost the browser",
}
BENCHMARKS = SPEED | {
    "film": "a film of 500 steps at 1080p, on one core",
    "history": "what keeping runs costs the trainer, and questions to a history of a million episodes",
    "learning": "survival after learning over seeds, beside plain DQN, stable-baselines3 and random play",
    "leaderboard": "contenders of several libraries in Hamlet-v0 and Hamlet-random-v0, over seeds",
    "exploit": "agents trained under a reward that invites them to live badly, and what they are paid",
    "company": "three agents trained together, beside three copies trained alone, over seeds",
    "plan": "what numbers of watchers need, from measured costs of a session, a viewer and a trial",
    "soak": "a class at work while garbage, vanishing clients, killed trainers and a full disk surround it",
}


def main() -> int:
    """Run the benchmark that the command line names."""
    if len(sys.argv) < 2 or sys.argv[1] not in (*BENCHMARKS, "all"):
        width = max(map(len, BENCHMARKS))
        print("usage: python -m bench NAME [options]\n")
        for name, what in BENCHMARKS.items():
            print(f"  {name:<{width}}  {what}")
        print(f"  {'all':<{width}}  {', '.join(SPEED)}, one after the other")
        return 2
    if sys.argv[1] == "all":
        # Each in a process of its own, so that none meets what another left: memory, modules, pinned cores.
        commands = [[sys.executable, "-m", "bench", name, *sys.argv[2:]] for name in SPEED]
        return max(subprocess.run(command, check=False).returncode for command in commands)  # noqa: S603
    importlib.import_module(f"bench.{sys.argv[1]}").main(sys.argv[2:])
    return 0


if __name__ == "__main__":
    sys.exit(main())
