"""The bytes of a run's state: whole or refused."""

import os
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hamlet_trio.agent.run_state import RunStateError, decode_run_state, encode_run_state

WEIGHTS = torch.arange(50.0)
STATE = {"weights": WEIGHTS, "steps": 3, "random": {"state": "ff"}, "pair": (1, None, True)}
DATA = encode_run_state(STATE)


def test_what_goes_in_comes_out() -> None:
    state = decode_run_state(DATA)
    assert torch.equal(state.pop("weights"), WEIGHTS)
    assert state == {"steps": 3, "random": {"state": "ff"}, "pair": (1, None, True)}


@given(st.integers(0, len(DATA) - 1))
@settings(max_examples=60, deadline=None)
def test_any_truncation_is_refused(length: int) -> None:
    with pytest.raises(RunStateError, match="damaged"):
        decode_run_state(DATA[:length])


def test_a_flipped_bit_is_refused() -> None:
    data = bytearray(DATA)
    data[DATA.index(WEIGHTS.numpy().tobytes()) + 40] ^= 1
    with pytest.raises(RunStateError, match="damaged"):
        decode_run_state(bytes(data))


def test_code_is_refused() -> None:
    class Exploit:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, ("/nowhere/to/be/made",)

    for data in (pickle.dumps(Exploit()), encode_run_state({"x": Exploit()})):
        with pytest.raises(RunStateError):
            decode_run_state(data)
