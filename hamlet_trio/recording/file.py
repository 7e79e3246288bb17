"""The file format of recordings: versioned, checksummed, bounded.

10 bytes   "HAMLETREC" and the version of the format
32 bytes   SHA-256 of all that follows; up to here the formats of all versions are the same
 4 bytes   length of the header, little-endian
the header, JSON: the facts, the world's configuration and its state at the start, exactly
the rest, compressed (zlib): one byte an action, then the model's outputs as float32

Format 2 adds the values of options. Format 3 adds several agents: an action of each for every step, and the
outputs of the first one's model, then those of the others' models. A recording is written in the lowest
format that holds it.
"""

import hashlib
import math
import zlib
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from hamlet_trio.common.agents import MAX_AGENTS
from hamlet_trio.common.files import read_regular
from hamlet_trio.common.text import printable
from hamlet_trio.recording.info import MAX_STEPS, RecordingInfo
from hamlet_trio.recording.trajectory import Trajectory, digest_of, play_company
from hamlet_trio.world import ACTIONS, METERS, RULES_VERSION, WorldConfig, WorldState

SUFFIX: Final = ".rec"
MAX_FILE_BYTES: Final = 8_000_000

_MAGIC: Final = b"HAMLETREC"
_FORMATS: Final = (1, 2, 3)
_WITH_OPTIONS: Final = 2
_WITH_COMPANY: Final = 3
_SUM_AT: Final = len(_MAGIC) + 1
_LENGTH_AT: Final = _SUM_AT + 32
_HEADER_AT: Final = _LENGTH_AT + 4
_Q_VALUES: Final = len(ACTIONS)
_ATTENTION: Final = len(METERS) ** 2


class RecordingError(Exception):
    """A recording cannot be used; the message names it and is a sentence for a person."""


class DamagedRecordingError(RecordingError):
    """The file is incomplete, or not a recording."""


class OtherRulesError(RecordingError):
    """The file was recorded under other rules, so that it would play out differently here."""


class NewerRecordingError(OtherRulesError):
    """The file was written by a newer version, in a format or under rules that this one does not know."""


class PolicyOutputs(NamedTuple):
    """Q-values (N, 5), attention (N, 6, 6) and values (N, K) of the options to K places, each float32.

    None for those that a model does not have; `options` are the places' names.
    """

    q_values: NDArray[np.float32] | None = None
    attention: NDArray[np.float32] | None = None
    option_values: NDArray[np.float32] | None = None
    options: tuple[str, ...] = ()


class Recording(Struct, frozen=True, kw_only=True):
    """One recorded episode of A agents.

    Attributes:
        config, start: the world, and its state at step 0.
        actions: (N * A,) uint8, A for each step.
        q_values: (N, 5) float32, of the observation each action was chosen from; None without a model.
        attention: (N, 6, 6) float32, likewise, of a model that has attention.
        options: the K places to which the options of the model lead; empty for a model without.
        option_values: (N, K) float32, likewise; None without options.
        digest: the trajectory's, computed when it was recorded.
        session_id: the session that saved it, for sharing the folder's room; None for training's and in older
            files.
        others: the outputs of the models of all agents but the first, of which the fields above are.
    """

    info: RecordingInfo
    config: WorldConfig
    start: WorldState
    actions: NDArray[np.uint8]
    q_values: NDArray[np.float32] | None
    attention: NDArray[np.float32] | None
    digest: str
    session_id: str | None = None
    options: tuple[str, ...] = ()
    option_values: NDArray[np.float32] | None = None
    others: tuple[PolicyOutputs, ...] = ()

    @property
    def outputs(self) -> tuple[PolicyOutputs, ...]:
        """The outputs of each agent's model."""
        first = PolicyOutputs(self.q_values, self.attention, self.option_values, self.options)
        return (first, *self.others)

    def play(self) -> Trajectory:
        """Play it out, as `play_company` does; return the trajectory of the first agent."""
        return self.play_company()[0]

    def play_company(self) -> tuple[Trajectory, ...]:
        """Play it out, bit for bit as it was recorded; return the trajectory of each agent.

        Raises `OtherRulesError` if it differs, as on a processor or library that rounds otherwise, and
        `DamagedRecordingError` for contents that no episode can have.
        """
        try:
            trajectories = play_company(self.config, self.start, self.actions.tobytes())
        except ValueError as error:
            raise DamagedRecordingError(
                f"{self.info.recording}{SUFFIX} is damaged: {printable(error, 200)}."
            ) from error
        if digest_of(trajectories) != self.digest:
            raise OtherRulesError(
                f"{self.info.recording}{SUFFIX} plays out differently here than where it was recorded "
                f"(version {printable(self.info.package_version, 40)}); replay it with that version."
            )
        return trajectories


class _HeaderOutputs(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which outputs of one agent's model a file holds."""

    q_values: bool = False
    attention: bool = False
    options: tuple[str, ...] = ()


class _Header(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    info: RecordingInfo
    world: WorldConfig
    start: WorldState
    digest: str
    session_id: str | None = None
    options: tuple[str, ...] = ()
    others: tuple[_HeaderOutputs, ...] = ()

    @property
    def outputs(self) -> tuple[_HeaderOutputs, ...]:
        """The outputs of each agent's model, the first one's included."""
        return (_HeaderOutputs(self.info.q_values, self.info.attention, self.options), *self.others)


class _Versions(Struct, frozen=True):
    """The part of a header that any version can read."""

    info: "_VersionsOfInfo"


class _VersionsOfInfo(Struct, frozen=True):
    rules_version: int
    package_version: str


_encoder: Final = msgspec.json.Encoder()
_headers: Final = msgspec.json.Decoder(_Header)
_versions: Final = msgspec.json.Decoder(_Versions)


def encode(recording: Recording) -> bytes:
    """Return the bytes of a recording's file."""
    header = _encoder.encode(
        _Header(
            recording.info,
            recording.config,
            recording.start,
            recording.digest,
            recording.session_id,
            recording.options,
            tuple(
                _HeaderOutputs(other.q_values is not None, other.attention is not None, other.options)
                for other in recording.others
            ),
        )
    )
    parts = [recording.actions.tobytes()]
    parts += [
        values.astype("<f4").tobytes()
        for outputs in recording.outputs
        for values in (outputs.q_values, outputs.attention, outputs.option_values)
        if values is not None
    ]
    body = len(header).to_bytes(4, "little") + header + zlib.compress(b"".join(parts), level=6)
    form = _WITH_OPTIONS if recording.options else 1
    if recording.config.num_agents > 1:
        form = _WITH_COMPANY
    return _MAGIC + bytes([form]) + hashlib.sha256(body).digest() + body


def decode(data: bytes, name: str) -> Recording:
    """Return the recording in a file's bytes; `name` is the file's, for error messages.

    Raises `DamagedRecordingError` for anything but a complete recording, and `OtherRulesError` for one made
    under other rules, `NewerRecordingError` if a newer version made it.
    """
    if not data.startswith(_MAGIC):
        raise DamagedRecordingError(f"{name} is not a recording of Hamlet.")
    if hashlib.sha256(data[_LENGTH_AT:]).digest() != data[_SUM_AT:_LENGTH_AT]:
        raise DamagedRecordingError(
            f"{name} is damaged: its contents do not match its checksum. Copy it again from where it came "
            "from, or delete it."
        )
    if data[len(_MAGIC)] not in _FORMATS:
        raise NewerRecordingError(
            f"{name} has a format of another version of Hamlet; this one reads up to {_FORMATS[-1]}."
        )
    length = int.from_bytes(data[_LENGTH_AT:_HEADER_AT], "little")
    text = data[_HEADER_AT : _HEADER_AT + length]
    try:
        versions = _versions.decode(text).info
        if versions.rules_version != RULES_VERSION:
            kind = NewerRecordingError if versions.rules_version > RULES_VERSION else OtherRulesError
            raise kind(
                f"{name} was recorded under version {versions.rules_version} of the world's rules (Hamlet "
                f"{printable(versions.package_version, 40)}); this one has version {RULES_VERSION}, under "
                "which it would play out differently."
            )
        header = _headers.decode(text)
        return _assemble(header, _unpacked(data[_HEADER_AT + length :], header))
    except (ValueError, zlib.error, RecursionError) as error:
        raise DamagedRecordingError(f"{name} is damaged: {printable(error, 200)}.") from error


def read_recording(path: Path) -> Recording:
    """Read a recording's file; raises as `decode` does, and `OSError`."""
    data = read_regular(path, MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise DamagedRecordingError(f"{path.name} is not a recording: it is larger than any can be.")
    return decode(data, path.name)


def _unpacked(packed: bytes, header: _Header) -> bytes:
    """Decompress the rest of the file, which must have exactly the length that the facts give."""
    info, agents = header.info, header.world.num_agents
    if agents > MAX_AGENTS or info.steps * agents > MAX_STEPS or len(header.outputs) != agents:
        raise ValueError(f"it is of {agents} agents and {info.steps} steps")
    width = sum(
        _Q_VALUES * one.q_values + _ATTENTION * one.attention + len(one.options) for one in header.outputs
    )
    length = info.steps * (agents + 4 * width)
    unpacking = zlib.decompressobj()
    content = unpacking.decompress(packed, length)
    if len(content) != length or not unpacking.eof:
        raise ValueError(f"its contents are not those of {info.steps} steps")
    return content


def _assemble(header: _Header, content: bytes) -> Recording:
    steps = header.info.steps
    actions = np.frombuffer(content, dtype=np.uint8, count=steps * header.world.num_agents)
    if (actions >= len(ACTIONS)).any():
        raise ValueError("it holds an unknown action")
    rest = content[len(actions) :]
    outputs = []
    for held in header.outputs:
        one, rest = _read_outputs(held, rest, steps)
        outputs.append(one)
    first, *others = outputs
    return Recording(
        info=header.info,
        config=header.world,
        start=header.start,
        actions=actions,
        q_values=first.q_values,
        attention=first.attention,
        digest=header.digest,
        session_id=header.session_id,
        options=first.options,
        option_values=first.option_values,
        others=tuple(others),
    )


def _read_outputs(held: _HeaderOutputs, content: bytes, steps: int) -> tuple[PolicyOutputs, bytes]:
    """Return the outputs of one agent's model, with which the content begins, and the rest of it."""
    parts, options = [], len(held.options)
    shapes = (
        (held.q_values, (_Q_VALUES,)),
        (held.attention, (len(METERS), len(METERS))),
        (options > 0, (options,)),
    )
    for is_present, shape in shapes:
        values = None
        if is_present:
            count = steps * math.prod(shape)
            values = (
                np.frombuffer(content, dtype="<f4", count=count).astype(np.float32).reshape(steps, *shape)
            )
            content = content[4 * count :]
            if not np.isfinite(values).all():
                raise ValueError("it holds a value that is not finite")
        parts.append(values)
    q_values, attention, option_values = parts
    return PolicyOutputs(q_values, attention, option_values, held.options), content


assert MAX_STEPS * (1 + 4 * (_Q_VALUES + _ATTENTION)) < MAX_FILE_BYTES
