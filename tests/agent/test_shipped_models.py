"""What the shipped models say of themselves is true, and so is what their README says."""

import re
from pathlib import Path

import msgspec
import numpy as np
import pytest

from hamlet_trio.agent.checkpoint import load_checkpoint
from hamlet_trio.agent.evaluation import evaluate
from hamlet_trio.agent.models import ModelFolder
from hamlet_trio.agent.policy import Policy
from hamlet_trio.world import FAILURE_REASONS, INTERACT, WorldConfig, Worlds
from scripts.describe_models import MODELS, README, STORIES, measure, readme, rewards

NAMES = sorted(STORIES)


def policy_of(name: str) -> Policy:
    return Policy.from_checkpoint(load_checkpoint(MODELS / name))


def test_every_shipped_model_has_a_story() -> None:
    tracked = {path.name for path in MODELS.glob("*.pt") if not path.name.endswith(".previous.pt")}
    assert set(NAMES) <= tracked


@pytest.mark.parametrize("name", NAMES)
def test_a_model_survives_as_its_metadata_say(name: str) -> None:
    metadata = load_checkpoint(MODELS / name).metadata
    told = metadata.evaluation or {}
    found = measure(policy_of(name))
    assert told.keys() == found.keys()
    # Lengths of greedy lives are whole steps; the means over noisy ones hang on the last bits of sums.
    assert {key: told[key] for key in ("mean_length", "peak_step", "episodes")} == {
        key: found[key] for key in ("mean_length", "peak_step", "episodes")
    }
    assert told == pytest.approx(found, rel=0.02)


@pytest.mark.parametrize("name", NAMES)
def test_a_model_tells_its_story_and_how_it_was_made(name: str) -> None:
    metadata = load_checkpoint(MODELS / name).metadata
    story = STORIES[name]
    told = (metadata.title, metadata.story, metadata.watch_for, metadata.command)
    assert told == (story.title, story.story, story.watch_for, story.command)
    assert f"--episodes {metadata.parameters['num_episodes']} " in story.command
    assert f"--seed {metadata.seed} " in story.command
    default_gamma = 0.98
    gamma = metadata.parameters["gamma"]
    assert (f"--gamma {gamma} " in story.command) == (gamma != default_gamma)
    if metadata.episode != metadata.parameters["num_episodes"]:
        snapshots = story.command.partition("--snapshots ")[2].split()[0].split(",")
        assert str(metadata.episode) in snapshots


def test_the_listing_tells_the_stories_too() -> None:
    details = {detail.name: detail for detail in ModelFolder(MODELS).details()}
    for name, story in STORIES.items():
        assert (details[name].title, details[name].watch_for) == (story.title, story.watch_for)
        assert details[name].evaluation is not None


def test_the_page_has_the_stories_for_other_languages_to_translate() -> None:
    page = Path(__file__).parents[2] / "frontend" / "src"
    cards = msgspec.json.decode((page / "messages/en/models.json").read_bytes())["card"]
    keys = dict(
        re.findall(r"'([\w.]+\.pt)': '(\w+)'", (page / "models/details.ts").read_text(encoding="utf-8"))
    )
    keys |= {"trained_agent.pt": "trained"}
    assert sorted(keys[name] for name in NAMES) == sorted(cards)
    for name, story in STORIES.items():
        told = {key: re.sub("[“”]", '"', text) for key, text in cards[keys[name]].items()}
        assert told == {"title": story.title, "story": story.story, "watchFor": story.watch_for}


def test_the_readme_is_fresh() -> None:
    text = README.read_text(encoding="utf-8")
    assert readme(text) == text, "run: python -m scripts.describe_models"
    assert all(f"`{name}`" in text for name in NAMES)


def test_the_stages_get_better_and_the_last_beats_the_simple_rule() -> None:
    stages = [np.sum(rewards(policy_of(f"checkpoint_ep{episode}.pt"))) for episode in (50, 455, 1000)]
    assert stages == sorted(stages)
    assert stages[-1] > 843


def test_the_best_survives_from_nearly_any_start_and_the_late_one_only_from_the_usual() -> None:
    best, late = (measure(policy_of(name)) for name in ("trained_agent.pt", "checkpoint_ep1000.pt"))
    assert (best["mean_length"], late["mean_length"]) == (500, 500)
    assert best["random_start_mean_length"] > 440
    assert late["random_start_mean_length"] < 200


def test_three_copies_of_the_best_live_in_one_world() -> None:
    world = WorldConfig(num_agents=3, max_steps=500)
    found = evaluate(policy_of("trained_agent.pt"), world, episodes=30, seed=1, random_start=True)
    assert found.mean_length > 420


def test_the_shortsighted_one_exploits_the_reward_and_dies_early() -> None:
    name = "checkpoint_ep400_shortsighted.pt"
    short, best = rewards(policy_of(name)), rewards(policy_of("trained_agent.pt"))
    assert np.mean(short[:100]) > 0.9 * np.mean(best[:100]), "step by step it is nearly as good"
    assert len(short) < 200
    assert np.sum(short) < 0.25 * np.cumsum(short).max(), "and in the end it loses most of it"

    config = WorldConfig()
    worlds, policy, used = Worlds(1, config, seed=0), policy_of(name), []
    worlds.reset()
    places = {(place.x, place.y): place.name for place in config.affordances}
    broke = None
    while not worlds.over[0]:
        actions = policy.act(worlds.observe().reshape(1, -1)).actions
        if actions[0] == INTERACT:
            used.append(places.get(tuple(worlds.positions[0, 0].tolist())))
        worlds.step(actions.reshape(1, 1))
        if broke is None and worlds.meters[0, 0, 3] < 3:
            broke = int(worlds.steps[0])
    assert "Job" not in used
    assert broke == 83
    assert FAILURE_REASONS[int(worlds.failure[0, 0])] == "mood_depleted"
