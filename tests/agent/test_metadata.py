"""Metadata of a model that are of another type or beyond their bounds are refused by name."""

import re

import pytest
import torch

from hamlet_trio.agent.checkpoint import CheckpointError, parse_checkpoint
from tests.agent.test_checkpoint_refusals import content, saved

REFUSED: dict[str, tuple[dict[object, object], str]] = {
    "a wrong field": (
        {"episode": "ten"},
        "has unusable metadata (Expected `int | null`, got `str` - at `$.episode`).",
    ),
    "metadata not finite": (
        {"evaluation": {"mean_length": float("nan")}},
        "has metadata with a number that is not finite.",
    ),
    "a tensor in the metadata": (
        {"parameters": {"x": torch.zeros(2)}},
        "has metadata with other things than text, numbers, lists and mappings.",
    ),
    "a number as a name": ({"parameters": {1: 2}}, "has metadata with a name that is not text."),
    "a huge number in the metadata": (
        {"evaluation": {"mean_length": 10**400}},
        "has metadata with a number beyond 9,007,199,254,740,992.",
    ),
    "a negative episode": (
        {"episode": -1},
        "has unusable metadata (Expected `int` >= 0 - at `$.episode`).",
    ),
    "a huge text in the metadata": (
        {"title": "x" * 10_001},
        "has metadata with a text of over 10,000 characters.",
    ),
    "a huge name in the metadata": (
        {"evaluation": {"x" * 10_001: 1}},
        "has metadata with a text of over 10,000 characters.",
    ),
    "an evaluation of text": (
        {"evaluation": {"mean_length": "abc"}},
        "has metadata whose evaluation.mean_length is not a number.",
    ),
    "an evaluation from random starts without a number": (
        {"evaluation_random": {"mean_return": None}},
        "has metadata whose evaluation_random.mean_return is not a number.",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_its_own_sentence_that_names_the_file(case: str) -> None:
    metadata, sentence = REFUSED[case]
    data = saved(content(metadata={"network_type": "qnetwork"} | metadata))
    with pytest.raises(CheckpointError, match=re.escape(f"model.pt {sentence}")) as caught:
        parse_checkpoint(data, "model.pt", width=8, height=8)
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < 300
