"""A learner's settings: limits, and plain values and back."""

from typing import Any

import msgspec
import pytest

from hamlet_trio.agent.learner_config import LearnerConfig, LearnerConfigError


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"network_type": "big"},
            "network_type is 'big'; it must be one of egocentric, options, qnetwork",
        ),
        ({"device": "tpu"}, "device is 'tpu'; it must be auto, cpu or cuda"),
        ({"target_update": "hard"}, "target_update is 'hard'; it must be soft or periodic"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0; it must be above 0 and at most 1"),
        ({"learning_rate": float("nan")}, "learning_rate is nan; it must be above 0"),
        ({"gamma": 1.01}, "gamma is 1.01; it must be from 0 to 1"),
        ({"batch_size": 0}, "batch_size is 0; it must be from 1 to 65536"),
        (
            {"batch_size": 64, "buffer_capacity": 32, "learning_starts": 0},
            "at most buffer_capacity, which is 32",
        ),
        ({"buffer_capacity": 0}, "buffer_capacity is 0"),
        ({"learning_starts": 20_000}, "learning_starts is 20000; it must be from 0 to 10000"),
        ({"updates_per_step": 0}, "updates_per_step is 0; it must be above 0"),
        ({"n_step": 0}, "n_step is 0"),
        ({"huber_delta": -1.0}, "huber_delta is -1.0"),
        ({"gradient_clip": 0.0}, "gradient_clip is 0.0"),
        ({"tau": 1.5}, "tau is 1.5; it must be above 0 and at most 1"),
        ({"target_period": 0}, "target_period is 0"),
    ],
)
def test_a_setting_out_of_range_is_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(LearnerConfigError, match=message) as caught:
        LearnerConfig(**settings)
    assert caught.value.field in settings
    with pytest.raises(msgspec.ValidationError, match=caught.value.field):
        msgspec.convert(settings, LearnerConfig)


def test_settings_become_plain_values_and_come_back() -> None:
    config = LearnerConfig(network_type="qnetwork", sizes={"hidden": [3]}, gradient_clip=None, n_step=5)
    assert msgspec.json.decode(msgspec.json.encode(config), type=LearnerConfig) == config
