"""A client of compact frames, which reads them as the sample in the documentation does."""

import json
import runpy
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from scripts.doc_tables.pages import DOCS

apply: Callable[[dict[str, Any], dict[str, Any]], dict[str, Any]] = runpy.run_path(
    str(DOCS / "samples" / "compact_frames.py")
)["apply"]


class Reader:
    """A client that applies compact frames to the last full one, as the sample does."""

    def __init__(self, messages: Any) -> None:
        self.deltas = 0
        self._decode = partial(msgspec.json.decode, type=messages)
        self._base: dict[str, Any] = {}

    def read(self, text: str) -> str:
        """Return the full frame that a text stands for, as JSON with sorted names."""
        self._decode(text)  # it is a message of the protocol
        frame = json.loads(text)
        if frame["type"] == "delta":
            assert frame["base"] == self._base["base"]
            self.deltas += 1
            frame = apply(self._base, frame)
        else:
            self._base = frame
        return canonical({name: frame[name] for name in frame if name not in ("base", "visits")})


def canonical(frame: dict[str, Any]) -> str:
    """Return a frame's JSON, in which equal numbers have equal texts."""
    return json.dumps(json.loads(json.dumps(frame), parse_int=float), sort_keys=True)
