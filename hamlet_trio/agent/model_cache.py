"""Keep what is told of models that were validated, so that nobody needs torch to list them again."""

import contextlib
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from hamlet_trio import __version__
from hamlet_trio.agent.model_details import ModelDetails
from hamlet_trio.common.decoding import decode_json
from hamlet_trio.common.files import read_regular, write_atomically

FORM: Final = 2
_MAX_BYTES: Final = 32 * 2**20
_DIGEST: Final = 64  # hexadecimal digits of a SHA-256


class _Kept(Struct, frozen=True, forbid_unknown_fields=True):
    """The content of the file: of this form, written by this version of Hamlet."""

    form: int
    version: str
    models: dict[str, ModelDetails]


class ModelCache:
    """Hold details of models by the SHA-256 of their content, in one file; for lists alone.

    Whoever looks a model up has read its content and knows its hash, so that a file which was replaced is
    never taken for the one that was validated. What a session plays is validated anew in any case.
    Models with an error are not kept: another version may read them.

    The file begins with the SHA-256 of the rest. One that is missing, damaged, too large, or of another
    version is ignored; one that cannot be written stays as it was, and models are validated again. It is
    written only into a folder that exists, since the user who lists models may not be the one who runs the
    server.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> dict[str, ModelDetails]:
        """Return the details by hash. Does file I/O; never raises."""
        try:
            data = read_regular(self._path, _MAX_BYTES)
        except OSError:
            return {}
        digest, body = data[:_DIGEST], data[_DIGEST:]
        if hashlib.sha256(body).hexdigest().encode() != digest:
            return {}
        try:
            kept = decode_json(body, _Kept)
        except msgspec.DecodeError:
            return {}
        return kept.models if (kept.form, kept.version) == (FORM, __version__) else {}

    def write(self, models: Mapping[str, ModelDetails]) -> None:
        """Replace what is kept. Does file I/O; does not raise if the file cannot be written."""
        body = msgspec.json.encode(_Kept(FORM, __version__, dict(models)))
        if len(body) + _DIGEST > _MAX_BYTES:
            return
        with contextlib.suppress(OSError):
            write_atomically(self._path, hashlib.sha256(body).hexdigest().encode() + body)
