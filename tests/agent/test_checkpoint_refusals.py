"""Files that are refused, each with its own sentence, and that no damage gets any other error."""

import contextlib
import io
import os
import pickle
import re
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hamlet_trio.agent import safe_load
from hamlet_trio.agent.checkpoint import CheckpointError, load_checkpoint, parse_checkpoint
from hamlet_trio.agent.networks import build_network

WITNESS = "hamlet_test_code_ran"


class Exploit:
    """Unpickling it sets an environment variable of this process."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return exec, (f"import os; os.environ['{WITNESS}'] = '1'",)


def weights(**sizes: Any) -> dict[str, torch.Tensor]:
    network = build_network("qnetwork", 72, 5, 8, 8, **({"hidden": [6]} | sizes))
    return dict(network.state_dict())


def content(**changes: Any) -> dict[str, Any]:
    whole: dict[str, Any] = {
        "q_network": weights(),
        "target_network": weights(),
        "optimizer": {"state": {}, "param_groups": []},
        "epsilon": 0.1,
        "state_dim": 72,
        "action_dim": 5,
    }
    return whole | changes


def saved(value: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer, **options)
    return buffer.getvalue()


def rezipped(data: bytes, change: Callable[[str, bytes], bytes | None], **options: Any) -> bytes:
    """The archive with each record changed; None leaves it out."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(buffer, "w", **options) as target:
        for name in source.namelist():
            changed = change(name, source.read(name))
            if changed is not None:
                target.writestr(name, changed)
    return buffer.getvalue()


def huge_zip() -> bytes:
    """A small file that would unpack to 300 MB."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("archive/data.pkl", b"")
        with target.open("archive/data/0", "w") as record:
            for _ in range(300):
                record.write(bytes(2**20))
    return buffer.getvalue()


def many_records() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        for index in range(5000):
            target.writestr(f"archive/data/{index}", b"")
    return buffer.getvalue()


def shared_lists() -> dict[str, Any]:
    """Metadata that are a few lists in each other, a million million values when followed."""
    value: list[Any] = [0] * 100
    for _ in range(6):
        value = [value] * 100
    return {"network_type": "qnetwork", "parameters": {"x": value}}


WEIGHTS = weights()
GOOD = saved(content())
NAN = {**WEIGHTS, "layers.2.bias": torch.tensor([0.0, float("nan"), 0, 0, 0])}
INFINITE = {**WEIGHTS, "layers.0.bias": torch.full((6,), float("inf"))}
OVERFLOWING = {key: torch.full_like(value, 1e30) for key, value in WEIGHTS.items()}


def with_flipped_number() -> bytes:
    """One bit of one weight turned over."""
    data = bytearray(GOOD)
    data[GOOD.index(WEIGHTS["layers.0.weight"].numpy().tobytes()) + 6] ^= 1
    return bytes(data)


EXPANDED = {**WEIGHTS, "layers.0.weight": torch.zeros(1).expand(10_000_000, 72)}


REFUSED: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty."),
    "text": (b"hello, this is no model", "is not a checkpoint: it does not begin as a file of torch does."),
    "half": (GOOD[: len(GOOD) // 2], "is truncated or damaged."),
    "beginning only": (GOOD[:4], "is truncated or damaged."),
    "end missing": (GOOD[:-1], "is truncated or damaged."),
    "a number flipped": (with_flipped_number(), "is truncated or damaged."),
    "a bare pickle": (pickle.dumps({"q_network": 1}), "is a bare pickle, which could run code"),
    "an exploit as a pickle": (pickle.dumps(Exploit()), "is a bare pickle, which could run code"),
    "an exploit in an archive": (
        saved(content(extra=Exploit())),
        "wants to run code when it is read (__builtin__.exec), so it was not loaded.",
    ),
    "a whole module": (
        saved(torch.nn.Linear(2, 2)),
        "wants to run code when it is read (torch.nn.modules.linear.Linear), so it was not loaded.",
    ),
    "an instruction torch does not write": (
        rezipped(GOOD, lambda name, data: pickle.dumps(Exploit(), 4) if name.endswith("data.pkl") else data),
        "holds pickle instructions that could run code and that torch does not write (FRAME)",
    ),
    "a pickle cut short": (
        rezipped(GOOD, lambda name, data: data[:-20] if name.endswith("data.pkl") else data),
        "is damaged: its description ends or breaks off early.",
    ),
    "a senseless pickle": (
        rezipped(GOOD, lambda name, data: b"\x80\x02h\x05." if name.endswith("data.pkl") else data),
        "is damaged: torch cannot read its contents.",
    ),
    "a tensor missing": (
        rezipped(GOOD, lambda name, data: None if name.endswith("data/0") else data),
        "is damaged: torch cannot read its contents.",
    ),
    "a tensor too short": (
        rezipped(GOOD, lambda name, data: data[:8] if name.endswith("data/0") else data),
        "is damaged: torch cannot read its contents.",
    ),
    "another archive": (
        rezipped(GOOD, lambda name, data: data if "/data/" in name else None),
        "is not a checkpoint: it is an archive, but not one that torch.save wrote.",
    ),
    "compressed": (
        rezipped(GOOD, lambda _, data: data, compression=zipfile.ZIP_DEFLATED),
        "holds compressed records, which torch does not write.",
    ),
    "a zip bomb": (huge_zip(), "is too large unpacked: 314,572,800 bytes, where 167,772,160 are allowed."),
    "a directory bomb": (many_records(), "is no sensible checkpoint: it has more than 4096 records."),
    "a list": (saved([1, 2]), "is not a checkpoint: it holds no mapping of names to weights."),
    "other tensors": (
        saved({"fc.weight": torch.zeros(2, 2)}),
        "does not fit: its parameters (fc) belong to no",
    ),
    "other things": (saved({"a": 1}), "its q_network holds other things than named tensors."),
    "no weights": (saved(content(q_network={})), "is not a checkpoint: its q_network holds no weights."),
    "numbered weights": (saved({1: torch.zeros(2)}), "its q_network holds other things than named tensors."),
    "integers": (
        saved(content(q_network={**WEIGHTS, "layers.0.bias": torch.zeros(6, dtype=torch.int64)})),
        "does not fit: the parameter layers.0.bias is not made of real numbers.",
    ),
    "an unknown key": (
        saved(content(q_network={**WEIGHTS, "layers.9.weight": torch.zeros(2)})),
        "does not fit: the parameter layers.9.weight does not belong to a qnetwork network.",
    ),
    "a wrong shape": (
        saved(content(q_network={**WEIGHTS, "layers.2.bias": torch.zeros(4)})),
        "the parameter layers.2.bias of a qnetwork network has shape [4]; [5] is needed.",
    ),
    "not a number": (
        saved(content(q_network=NAN)),
        "q_network has numbers that are not finite, in layers.2.bias.",
    ),
    "infinite": (saved(content(q_network=INFINITE)), "numbers that are not finite, in layers.0.bias."),
    "infinite target": (
        saved(content(target_network=INFINITE)),
        "target_network has numbers that are not finite",
    ),
    "overflowing": (
        saved(content(q_network=OVERFLOWING)),
        "its weights are so large that Q-values overflow.",
    ),
    "absurdly large": (
        saved(content(q_network=EXPANDED)),
        "720,000,041 numbers; more than 8,000,000 are refused.",
    ),
    "another target": (
        saved(content(target_network=weights(hidden=[7]))),
        "is inconsistent: its target_network is not shaped as its q_network.",
    ),
    "another state_dim": (saved(content(state_dim=80)), "is inconsistent: its state_dim is not the 72 that"),
    "a tensor as state_dim": (saved(content(state_dim=torch.zeros(2))), "its state_dim is not the 72 that"),
    "other actions": (
        saved(dict(build_network("qnetwork", 72, 7, 8, 8).state_dict())),
        "does not fit: it chooses among 7 actions; the world has 5.",
    ),
    "no epsilon": (
        saved(content(epsilon="much")),
        "is inconsistent: its epsilon is not a number from 0 to 1.",
    ),
    "an epsilon that no float holds": (
        saved(content(epsilon=10**400)),
        "is inconsistent: its epsilon is not a number from 0 to 1.",
    ),
    "no optimizer": (saved(content(optimizer=[1])), "is inconsistent: its optimizer is no state dict."),
    "metadata of another kind": (
        saved(content(metadata=[1])),
        "has metadata that are no mapping of names to values.",
    ),
    "a newer format": (
        saved(content(metadata={"format_version": 2, "network_type": "qnetwork"})),
        "has format version 2, written by a newer Hamlet; this one reads up to 1.",
    ),
    "an unknown network": (saved(content(metadata={"network_type": ["x"]})), "name no known network type."),
    "another network": (
        saved(content(metadata={"network_type": "spatial"})),
        "is inconsistent: its metadata say spatial, its weights qnetwork.",
    ),
    "endless metadata": (
        saved(content(metadata=shared_lists())),
        "has metadata of over 200,000 values or 16 levels.",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_its_own_sentence(tmp_path: Path, case: str) -> None:
    data, sentence = REFUSED[case]
    path = tmp_path / "model.pt"
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=re.escape(sentence)) as caught:
        load_checkpoint(path, width=8, height=8)
    message = str(caught.value)
    assert message.startswith("model.pt ")
    assert message.endswith(".")
    assert message.isprintable()
    assert len(message) < 300
    assert WITNESS not in os.environ


def test_the_file_they_are_made_from_is_good() -> None:
    assert parse_checkpoint(GOOD, "model.pt").epsilon == 0.1


def test_the_exploit_is_real(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were it unpickled plainly, it would do what the tests above look for."""
    monkeypatch.setenv(WITNESS, "0")
    pickle.loads(pickle.dumps(Exploit()))  # noqa: S301
    assert os.environ[WITNESS] == "1"


def test_refused_places(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"^gone\.pt was not found\.$"):
        load_checkpoint(tmp_path / "gone.pt")
    with pytest.raises(CheckpointError, match="is not a file but a folder, device or pipe"):
        load_checkpoint(tmp_path)
    with pytest.raises(CheckpointError, match="was not found"):
        load_checkpoint(tmp_path / "a\0.pt")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_refused_instead_of_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.pt")
    with pytest.raises(CheckpointError, match=r"pipe\.pt is not a file but a folder, device or pipe"):
        load_checkpoint(tmp_path / "pipe.pt")


def test_a_large_file_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "large.pt"
    with path.open("wb") as file:
        file.truncate(safe_load.MAX_FILE_BYTES + 1)
    with pytest.raises(
        CheckpointError, match=r"^large\.pt is too large: 167,772,161 bytes, where 167,772,160"
    ):
        load_checkpoint(path)


def test_another_world_is_refused() -> None:
    with pytest.raises(CheckpointError, match=r"x\.pt does not fit: .* 64 cells .*, not of 10 x 10 \(108 "):
        parse_checkpoint(GOOD, "x.pt", width=10, height=10)


def test_another_world_of_as_many_cells_is_refused() -> None:
    metadata = {"network_type": "qnetwork", "world": {"width": 4, "height": 16}}
    data = saved(content(metadata=metadata))
    assert parse_checkpoint(data, "x.pt", width=4, height=16).spec.height == 16
    with pytest.raises(CheckpointError, match="trained in a world of 4 x 16 cells, not of 8 x 8"):
        parse_checkpoint(data, "x.pt", width=8, height=8)


def test_two_records_of_one_name_are_refused() -> None:
    """Readers differ in which of the two they take."""
    buffer = io.BytesIO(GOOD)
    with zipfile.ZipFile(buffer, "a") as target, pytest.warns(UserWarning, match="Duplicate name"):
        target.writestr("archive/data.pkl", b"\x80\x02}.")
    with pytest.raises(CheckpointError, match="two of its records have the same name"):
        parse_checkpoint(buffer.getvalue(), "x.pt")


def test_an_ordered_dict_with_attributes_is_read() -> None:
    """What `Module.state_dict()` returns: torch saves its attribute `_metadata` along."""
    state = OrderedDict(weights())
    state._metadata = OrderedDict([("", {"version": 1})])  # type: ignore[attr-defined]
    assert parse_checkpoint(saved(state), "x.pt").spec.network_type == "qnetwork"


def accepts_or_refuses(data: bytes) -> None:
    """Anything but a `CheckpointError` fails the test that calls this."""
    with contextlib.suppress(CheckpointError):
        parse_checkpoint(data, "model.pt", width=8, height=8)


@given(st.integers(0, len(GOOD) - 1))
@settings(max_examples=150, deadline=None)
def test_any_truncation_is_refused(length: int) -> None:
    with pytest.raises(CheckpointError):
        parse_checkpoint(GOOD[:length], "model.pt")


@given(st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(1, 255)), min_size=1, max_size=4))
@settings(max_examples=300, deadline=None)
def test_any_flipped_bytes_are_refused_or_harmless(flips: list[tuple[int, int]]) -> None:
    data = bytearray(GOOD)
    for position, bits in flips:
        data[position] ^= bits
    accepts_or_refuses(bytes(data))


PICKLE = zipfile.ZipFile(io.BytesIO(GOOD)).read("archive/data.pkl")


@given(st.lists(st.tuples(st.integers(0, len(PICKLE) - 1), st.integers(0, 255)), min_size=1, max_size=3))
@example([(49, 92)])  # an escape in the name of a module
@settings(max_examples=300, deadline=None)
def test_any_change_of_the_description_is_refused_or_harmless(changes: list[tuple[int, int]]) -> None:
    """With correct check sums, so that it reaches the pickle's own checks and torch's reader."""
    changed = bytearray(PICKLE)
    for position, value in changes:
        changed[position] = value
    accepts_or_refuses(
        rezipped(GOOD, lambda name, data: bytes(changed) if name.endswith("data.pkl") else data)
    )


def test_text_with_unknown_escapes_is_refused_without_a_warning() -> None:
    """`pickletools` would warn of `\\z`, and a warning is an error here."""
    changed = rezipped(GOOD, lambda name, data: b"\x80\x02S'\\z'\n." if name.endswith("data.pkl") else data)
    with pytest.raises(CheckpointError, match="STRING"):
        parse_checkpoint(changed, "model.pt")


@pytest.mark.parametrize("pickled", [b"N.", b"\x80\x01N.", b"\x80\x04N.", b"\x80\x02\x80\x01N."])
def test_another_pickle_protocol_is_refused_without_a_warning(pickled: bytes) -> None:
    changed = rezipped(GOOD, lambda name, data: pickled if name.endswith("data.pkl") else data)
    with pytest.raises(CheckpointError, match=r"torch\.save"):
        parse_checkpoint(changed, "model.pt")


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_any_bytes_are_refused(data: bytes) -> None:
    for beginning in (b"", b"PK\x03\x04", b"\x80\x02"):
        if beginning + data:
            with pytest.raises(CheckpointError):
                parse_checkpoint(beginning + data, "model.pt")
