"""`python -m scripts.describe_models` measures the shipped models and writes the figures into them.

The story of each is told here and its figures are measured; both go into the file's metadata, which the page,
`hamlet models` and `GET /api/models` show, and into the table of models/README.md. Run it after training one
anew. The weights stay as they are.
"""

import re
import sys
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from msgspec import Struct

from hamlet_trio.agent.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from hamlet_trio.agent.evaluation import evaluate
from hamlet_trio.agent.policy import Policy
from hamlet_trio.world import WorldConfig, Worlds
from scripts.doc_tables.markdown import code, signed, table

MODELS: Final = Path(__file__).resolve().parents[1] / "models"
README: Final = MODELS / "README.md"
_CAP: Final = 500
_EPISODES: Final = 100
_LONG_RUN: Final = (
    "hamlet train --episodes 1000 --seed 7 --network-type egocentric --random-start 0 "
    "--snapshots 50,455 --out models/checkpoint_ep1000.pt --overwrite"
)
_TABLE: Final = re.compile(r"(?<=<!-- table: models -->\n).*?(?=<!-- end: models -->)", re.DOTALL)


class Story(Struct, frozen=True, kw_only=True):
    """A model described for a class, with the command that trained it."""

    title: str
    story: str
    watch_for: str
    command: str = _LONG_RUN


STORIES: Final[dict[str, Story]] = {
    "checkpoint_ep50.pt": Story(
        title="Early and clumsy: it never finds the Bar",
        story="After 50 of 1,000 episodes it presses its keys where nothing is. It has been at the Bar while "
        "exploring, but has not found out what that was good for.",
        watch_for="Social falls below 30 at step 35; loneliness takes the mood, faster and faster, and it "
        "ends at step 76, where random play ends too.",
    ),
    "checkpoint_ep400_shortsighted.pt": Story(
        title="An interesting failure: it lives for the moment and never works",
        story="Trained on the ordinary reward, but made short-sighted: with gamma 0.8 a reward 20 steps "
        "ahead counts a hundredth. The Job costs mood, energy and hygiene at once and pays off later, so it "
        "never goes there. It collects the reward of full meters, nearly as fast as the best model for 100 "
        "steps, and spends its last money on meals when it is full already.",
        watch_for="Its return climbs past 200, like that of a model that will live. Money is gone at step "
        "83, and it goes on pressing at the stove. Social falls, mood collapses, and in the last 25 steps "
        "it loses most of what it had collected.",
        command="hamlet train --episodes 455 --gamma 0.8 --seed 7 --network-type egocentric "
        "--random-start 0 --snapshots 400 --out models/shortsighted.pt",
    ),
    "checkpoint_ep455.pt": Story(
        title="Half-way: it runs its errands, and then stays in bed",
        story="After 455 of 1,000 episodes, while it still explores, it works, eats, washes and drinks in "
        "turn, and lives six times as long as by chance.",
        watch_for="Five rounds with a visit to the Job and one to the Bar, with idle moments in between. "
        "From step 413 it sleeps on without need until its money is gone; it is found hungry and lonely, "
        "and ends at step 462.",
    ),
    "checkpoint_ep1000.pt": Story(
        title="Late: it lives to the last step, and has learnt a walk by heart",
        story="After 1,000 episodes it leads a settled life: a round by Bar, Bed, Shower, kitchen, Job and "
        "Gym, over and over. It learnt by single steps, and always from the same start: of other lives it "
        "knows nothing, and begun anywhere else it soon fails.",
        watch_for="It goes to a place before the meter is low, not after. Its return is higher than that of "
        'the simple rule "go to the place of the emptiest meter and use it", 843. Then let it begin '
        "anywhere, or lead it astray with the arrow keys, and give it back.",
    ),
    "trained_agent.pt": Story(
        title="The best: it lives from nearly any start",
        story="It learnt by options: it weighs eight walks, each to a place and its use, instead of five "
        "single steps, and three of four of its episodes began anywhere. It is given how to walk; what a "
        "place is good for, and when, it found out.",
        watch_for="Switch on its thoughts: they say which place it wants, and how much. Take over with the "
        "arrow keys, lead it astray, and give it back: it goes on from there.",
        command="hamlet train --episodes 300 --seed 2027 --num-envs 4 --buffer-capacity 100000 "
        "--out models/trained_agent.pt --overwrite",
    ),
}
"""The shipped models, from clumsy to best."""


def measure(policy: Policy) -> dict[str, Any]:
    """Return a model's `evaluation` for its metadata; equal on every machine for equal weights.

    Greedy from the usual start: `mean_length`, `mean_return` over `episodes` (one, since each is the same),
    `peak_return` and `peak_step`, the highest return on the way and when. And mean lengths over 100 episodes:
    with 5 % random actions, and from random starts.
    """
    greedy = evaluate(policy, episodes=1, seed=0, max_steps=_CAP)
    noisy = evaluate(policy, episodes=_EPISODES, seed=0, max_steps=_CAP, epsilon=0.05)
    anywhere = evaluate(policy, episodes=_EPISODES, seed=0, max_steps=_CAP, random_start=True)
    returns = np.cumsum(rewards(policy))
    return {
        "episodes": 1,
        "mean_length": greedy.mean_length,
        "mean_return": greedy.mean_return,
        "peak_return": float(returns.max()),
        "peak_step": int(returns.argmax()) + 1,
        "noisy_mean_length": noisy.mean_length,
        "random_start_mean_length": anywhere.mean_length,
    }


def rewards(policy: Policy) -> list[float]:
    """Return the reward of each step of the greedy episode from the usual start."""
    worlds = Worlds(1, WorldConfig(max_steps=_CAP), seed=0)
    worlds.reset()
    made = []
    while not worlds.over[0]:
        actions = policy.act(worlds.observe().reshape(1, -1)).actions
        made.append(float(worlds.step(actions.reshape(1, 1)).rewards[0, 0]))
    return made


def described(name: str, checkpoint: Checkpoint) -> Checkpoint:
    """Return the checkpoint with its story and figures."""
    metadata = msgspec.structs.replace(
        checkpoint.metadata,
        evaluation=measure(Policy.from_checkpoint(checkpoint)),
        **msgspec.structs.asdict(STORIES[name]),
    )
    return Checkpoint(
        network=checkpoint.network,
        metadata=metadata,
        target=checkpoint.target,
        optimizer=checkpoint.optimizer,
        epsilon=checkpoint.epsilon,
    )


def readme(text: str) -> str:
    """Return the README with its table made from the models' metadata."""
    rows = []
    for name in STORIES:
        metadata = load_checkpoint(MODELS / name).metadata
        evaluation = metadata.evaluation or {}
        rows.append(
            [
                code(name),
                f"{metadata.episode:,} of {metadata.parameters['num_episodes']:,}",
                str(metadata.seed),
                f"{evaluation['mean_length']:.0f}",
                signed(round(evaluation["mean_return"], 1)),
                f"{signed(round(evaluation['peak_return'], 1))} at {evaluation['peak_step']}",
                f"{evaluation['noisy_mean_length']:.0f}",
                f"{evaluation['random_start_mean_length']:.0f}",
            ]
        )
    headings = (
        *("File", "Episodes", "Seed", "Survived", "Return"),
        *("Highest return, at step", "With 5 % random actions", "From random starts"),
    )
    return _TABLE.sub(lambda _: f"\n{table(headings, rows)}\n\n", text)


def main() -> int:
    """Describe every shipped model, and bring the README up to date."""
    for name in STORIES:
        save_checkpoint(MODELS / name, described(name, load_checkpoint(MODELS / name)))
    README.write_text(readme(README.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
