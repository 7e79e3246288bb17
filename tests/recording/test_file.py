"""Recordings as files: whole or refused, and bit for bit the same again."""

import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

from hamlet_trio.agent.policy import Policy
from hamlet_trio.recording.capture import make_recording
from hamlet_trio.recording.file import (
    DamagedRecordingError,
    OtherRulesError,
    Recording,
    RecordingError,
    decode,
    encode,
    read_recording,
)
from hamlet_trio.recording.trajectory import play
from hamlet_trio.world import WorldConfig
from tests.recording.support import random_actions, record, resigned, start_of


def test_a_recording_comes_back_whole(recording: Recording) -> None:
    again = decode(encode(recording), "a.rec")
    assert msgspec.structs.replace(again, actions=recording.actions) == recording
    np.testing.assert_array_equal(again.actions, recording.actions)
    assert again.q_values is None
    assert again.play().digest() == recording.digest


def test_what_the_model_thought_comes_back_with_it() -> None:
    policy = Policy.untrained(3, network_type="relational")
    made = record(policy=policy, model="relational.pt")
    again = decode(encode(made), "a.rec")
    expected = policy.act(made.play().observations, attention=True)
    assert again.q_values is not None
    assert again.attention is not None
    np.testing.assert_array_equal(again.q_values, expected.q_values)
    np.testing.assert_array_equal(again.attention, expected.attention)
    assert again.info.q_values
    assert again.info.attention
    assert again.info.model == "relational.pt"


def test_values_of_options_come_back_and_nothing_else_changes_the_format(recording: Recording) -> None:
    policy = Policy.untrained(3, network_type="options")
    made = record(policy=policy)
    data = encode(made)
    again = decode(data, "a.rec")
    expected = policy.act(made.play().observations).option_values
    assert again.option_values is not None
    assert expected is not None
    np.testing.assert_array_equal(again.option_values, expected)
    assert again.options == ("Bed", "Shower", "HomeMeal", "FastFood", "Job", "Recreation", "Bar", "Gym")
    assert (data[9], encode(recording)[9]) == (2, 1)


def test_a_model_that_is_too_large_to_compute_with_leaves_finite_values() -> None:
    class Overflowing:
        def act(self, observations: np.ndarray, *, attention: bool = False) -> object:
            from hamlet_trio.agent.policy import PolicyOutput

            values = np.full((len(observations), 5), np.inf, dtype=np.float32)
            return PolicyOutput(np.zeros(len(observations), dtype=np.int64), values, None)

    again = decode(encode(record(policy=Overflowing())), "a.rec")
    assert again.q_values is not None
    assert np.isfinite(again.q_values).all()


def test_random_starts_keep_every_bit() -> None:
    config = WorldConfig()
    for seed in range(20):
        start = start_of(config, seed=seed)
        actions = random_actions(config, start, seed)
        made = make_recording(config, start, actions, reasons=["every_nth"], source="training", episode=1)
        again = decode(encode(made), "a.rec")
        assert again.start == start
        np.testing.assert_array_equal(again.play().meters, play(config, start, actions).meters)


def test_another_process_plays_it_bit_for_bit(recording: Recording, tmp_path: Path) -> None:
    path = tmp_path / "a.rec"
    path.write_bytes(encode(recording))
    program = (
        "import sys; from pathlib import Path; from hamlet_trio.recording.file import read_recording; "
        "played = read_recording(Path(sys.argv[1])).play(); "
        "sys.stdout.buffer.write(played.meters.tobytes() + played.rewards.tobytes())"
    )
    other = subprocess.run([sys.executable, "-c", program, path], capture_output=True, check=True)
    here = recording.play()
    assert other.stdout == here.meters.tobytes() + here.rewards.tobytes()


def test_facts_are_those_of_the_episode(recording: Recording) -> None:
    played = recording.play()
    info = recording.info
    assert info.steps == played.steps
    assert info.episode_return == played.returns()[-1] == sum(played.rewards.tolist())
    assert info.ended == "meter_depleted"
    assert info.failure_reason == played.failure_reason is not None
    cut = record(actions=[0, 0]).info
    assert (cut.steps, cut.ended, cut.failure_reason) == (2, None, None)
    whole = record(WorldConfig(max_steps=2), actions=[0, 0]).info
    assert (whole.ended, whole.failure_reason) == ("max_steps", None)


@pytest.mark.parametrize("actions", [[], [0] * 10_001])
def test_no_steps_or_too_many_cannot_be_recorded(actions: list[int]) -> None:
    with pytest.raises(RecordingError, match="1 to 10000 steps"):
        record(actions=actions)


def test_a_file_with_any_byte_changed_or_missing_is_refused_by_name(recording: Recording) -> None:
    data = encode(recording)
    for at in {0, 5, 20, 41, 43, 60, *range(70, len(data), 53), len(data) - 1}:
        changed = bytearray(data)
        changed[at] ^= 0x10
        with pytest.raises((DamagedRecordingError, OtherRulesError), match=r"^lost\.rec"):
            decode(bytes(changed), "lost.rec")
    for length in (0, 3, 9, 10, 41, 45, len(data) // 2, len(data) - 1):
        with pytest.raises((DamagedRecordingError, OtherRulesError), match=r"^lost\.rec"):
            decode(data[:length], "lost.rec")
    with pytest.raises(DamagedRecordingError, match="checksum"):
        decode(data + b"\0", "lost.rec")


def test_other_rules_are_refused_by_version(recording: Recording) -> None:
    data = resigned(encode(recording), b'"rules_version":1', b'"rules_version":2')
    with pytest.raises(OtherRulesError, match=r"^old\.rec was recorded under version 2"):
        decode(data, "old.rec")
    data = encode(recording)
    with pytest.raises(OtherRulesError, match="format"):
        decode(data[:9] + b"\x04" + data[10:], "old.rec")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"positions":[[4,4]]', b'"positions":[[9,4]]'),
        (b'"max_steps":500', b'"max_steps":1'),
        (b'"q_values":false', b'"q_values":true'),
        (b'"width":8', b'"width":1e9'),
        (b'"episode":1', b'"episode":0'),
        (b'"info":{', b'"info":['),
    ],
)
def test_a_file_made_to_mislead_is_refused(recording: Recording, old: bytes, new: bytes) -> None:
    data = resigned(encode(recording), old, new)
    with pytest.raises(DamagedRecordingError, match=r"\.rec is damaged"):
        decode(data, "foul.rec").play()


def test_a_digest_that_does_not_fit_is_refused_at_play(recording: Recording) -> None:
    data = resigned(encode(recording), recording.digest.encode(), b"0" * 64)
    with pytest.raises(OtherRulesError, match="plays out differently"):
        decode(data, "a.rec").play()


def test_a_huge_file_is_refused_without_being_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "huge.rec"
    with open(path, "wb") as file:
        file.truncate(10**12)
    with pytest.raises(DamagedRecordingError, match=r"huge\.rec"):
        read_recording(path)


def test_files_are_small() -> None:
    torch.manual_seed(0)
    long = record(
        WorldConfig(end_penalty=0), actions=[0] * 60, policy=Policy.untrained(0, network_type="relational")
    )
    assert len(encode(long)) < 12_000
    assert len(encode(record())) < 6_000
