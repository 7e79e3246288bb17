"""Turning the bytes of a foreign file into plain values and tensors without running anything in it.

A torch file is a zip archive of a pickle (`data.pkl`) and one record a tensor. Each of them can be hostile
or damaged, so each is checked before the next is touched: the size of the file, the archive's directory and
check sums, the pickle's instructions. What was checked is packed anew and only that reaches
`torch.load(weights_only=True)`, so that two readers' views of one odd archive cannot differ.
"""

import io
import pickletools
import zipfile
import zlib
from typing import Any, Final

import torch

from hamlet_trio.agent.checkpoint_bytes import MAX_FILE_BYTES, CheckpointError, read_bytes
from hamlet_trio.common.text import printable

__all__ = ["MAX_FILE_BYTES", "CheckpointError", "read_bytes", "unpack"]

_MAX_RECORDS: Final = 4096
_MAX_PICKLE_BYTES: Final = 4 * 2**20
_ZIP_MAGIC: Final = b"PK\x03\x04"
_DIRECTORY_ENTRY: Final = b"PK\x01\x02"
_PICKLE_MAGIC: Final = b"\x80"

# What torch.save writes: data, and calls of the few names below.
_PROTOCOL: Final = 2
_INSTRUCTIONS: Final = {opcode.code.encode("latin-1"): opcode for opcode in pickletools.opcodes}
_ALLOWED_INSTRUCTIONS: Final = frozenset(
    {
        "PROTO",
        "STOP",
        "MARK",
        "NONE",
        "NEWTRUE",
        "NEWFALSE",
        "BININT",
        "BININT1",
        "BININT2",
        "LONG1",
        "BINFLOAT",
    }
    | {
        "BINUNICODE",
        "BINPUT",
        "LONG_BINPUT",
        "BINGET",
        "LONG_BINGET",
        "GLOBAL",
        "REDUCE",
        "BINPERSID",
        "BUILD",
    }
    | {"EMPTY_DICT", "SETITEM", "SETITEMS", "EMPTY_LIST", "APPEND", "APPENDS"}
    | {"EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"}
)
_ALLOWED_NAMES: Final = frozenset(
    {"collections OrderedDict", "torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_parameter"}
    | {
        f"torch {kind}Storage"
        for kind in ("Float", "Double", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool")
    }
)


def unpack(data: bytes, name: str, *, limit: int = MAX_FILE_BYTES) -> Any:
    """Return the object that `torch.save` wrote into `data`, with tensors on the CPU.

    Raises `CheckpointError`, beginning with `name`, for anything but an archive as torch writes it: damaged,
    cut short, compressed, with records of more than `limit` bytes together, or wanting to run code.
    """
    if not data.startswith(_ZIP_MAGIC):
        if data.startswith(_PICKLE_MAGIC):
            raise CheckpointError(
                f"{name} is a bare pickle, which could run code when it is read, so it was not opened; "
                "save the model again with torch 1.6 or newer."
            )
        raise CheckpointError(f"{name} is not a checkpoint: it does not begin as a file of torch does.")
    records = _read_records(data, name, limit)
    _check_pickle(records["data.pkl"], name)
    repacked = io.BytesIO()
    with zipfile.ZipFile(repacked, "w", zipfile.ZIP_STORED) as archive:
        for record, content in records.items():
            archive.writestr(f"checkpoint/{record}", content)
    repacked.seek(0)
    try:
        return torch.load(repacked, map_location="cpu", weights_only=True)
    # torch answers a senseless pickle with whatever its reader stumbles over (KeyError, IndexError and many
    # more), so at this border every error means the same: not what torch.save wrote.
    except Exception as error:
        raise CheckpointError(f"{name} is damaged: torch cannot read its contents.") from error


def _read_records(data: bytes, name: str, limit: int) -> dict[str, bytes]:
    """Return the records that torch needs, by name within the archive's folder, with verified checksums."""
    # Every entry of the directory costs the reader far more memory than its own bytes.
    if data.count(_DIRECTORY_ENTRY) > _MAX_RECORDS:
        raise CheckpointError(f"{name} is no sensible checkpoint: it has more than {_MAX_RECORDS} records.")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            size = sum(entry.file_size for entry in entries)
            if size > limit:
                raise CheckpointError(
                    f"{name} is too large unpacked: {size:,} bytes, where {limit:,} are allowed."
                )
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
                raise CheckpointError(f"{name} holds compressed records, which torch does not write.")
            contents = {entry.filename: archive.read(entry) for entry in entries}
    # Each of these is a way in which the zip reader refuses a damaged archive.
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        KeyError,
        NotImplementedError,
        OSError,
        OverflowError,
        RuntimeError,
        ValueError,
    ) as error:
        raise CheckpointError(f"{name} is truncated or damaged.") from error
    if len(contents) != len(entries):
        raise CheckpointError(f"{name} is damaged: two of its records have the same name.")
    return _one_folder(contents, name)


def _one_folder(contents: dict[str, bytes], name: str) -> dict[str, bytes]:
    pickles = [record for record in contents if record.endswith("/data.pkl")]
    if any(record.endswith("/constants.pkl") for record in contents):
        raise CheckpointError(
            f"{name} is a TorchScript program, not a checkpoint; save the state dict instead."
        )
    if len(pickles) != 1 or pickles[0].count("/") != 1:
        raise CheckpointError(
            f"{name} is not a checkpoint: it is an archive, but not one that torch.save wrote."
        )
    folder = pickles[0].removesuffix("data.pkl")
    if len(contents[pickles[0]]) > _MAX_PICKLE_BYTES:
        raise CheckpointError(
            f"{name} is too large: its description alone has over {_MAX_PICKLE_BYTES:,} bytes."
        )
    wanted = ("data.pkl", "version", "byteorder")
    return {
        record.removeprefix(folder): content
        for record, content in contents.items()
        if record.startswith(folder + "data/") or record in {folder + known for known in wanted}
    }


def _line(stream: io.BytesIO) -> str:
    """Return a line of text as it is; pickletools would decode escapes, and warn of unknown ones."""
    line = stream.readline()
    if not line.endswith(b"\n"):
        raise ValueError("no end of line")
    return line[:-1].decode("ascii")


def _check_pickle(pickled: bytes, name: str) -> None:
    """Refuse every instruction that `torch.save` does not write, before any is executed."""
    protocols = set()
    stream = io.BytesIO(pickled)
    instruction = None
    try:
        while instruction is None or instruction.name != "STOP":
            instruction = _INSTRUCTIONS.get(stream.read(1))
            if instruction is None:
                raise ValueError("no instruction")
            # Refused before its argument is read: reading text with escapes would warn of unknown ones.
            if instruction.name not in _ALLOWED_INSTRUCTIONS:
                raise CheckpointError(
                    f"{name} holds pickle instructions that could run code and that torch does not write "
                    f"({instruction.name}), so it was not loaded."
                )
            if instruction.name == "GLOBAL":
                argument: object = " ".join(_line(stream) for _ in ("module", "name"))
            else:
                argument = None if instruction.arg is None else instruction.arg.reader(stream)
            if instruction.name == "PROTO":
                protocols.add(argument)
            if instruction.name == "GLOBAL" and argument not in _ALLOWED_NAMES:
                wanted = printable(argument).replace(" ", ".")
                raise CheckpointError(
                    f"{name} wants to run code when it is read ({wanted}), so it was not loaded."
                )
    except (ValueError, UnicodeError, IndexError) as error:
        raise CheckpointError(f"{name} is damaged: its description ends or breaks off early.") from error
    if protocols != {_PROTOCOL}:  # torch would warn of another one
        raise CheckpointError(f"{name} is not in the pickle protocol {_PROTOCOL} that torch.save writes.")
