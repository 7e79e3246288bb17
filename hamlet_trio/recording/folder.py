"""The folder of recordings: listing, finding, saving, and bounding their number."""

import os
import threading
from collections import Counter
from pathlib import Path
from typing import Final, TypeAlias

from msgspec import Struct

from hamlet_trio.common.files import write_atomically
from hamlet_trio.common.text import printable
from hamlet_trio.recording.file import (
    SUFFIX,
    NewerRecordingError,
    Recording,
    RecordingError,
    encode,
    read_recording,
)
from hamlet_trio.recording.info import (
    ListedRecording,
    RecordingInfo,
    Source,
    is_recording_id,
    recordings_path,
)
from hamlet_trio.settings import Settings
from hamlet_trio.world.world_file import digest_of

_SHARE: Final = (
    10  # a session's share of the places: while it has at most a tenth, none is taken from it first
)

_FileVersion: TypeAlias = tuple[int, int, int]


class _CachedEntry(Struct, frozen=True):
    """A file as it was when last read, and the session that saved it.

    One that could not be read (`was_read`) may still be a good recording: descriptors may have run out. One
    of a newer version (`is_newer`) is for that version to remove.
    """

    version: _FileVersion
    entry: ListedRecording
    session_id: str | None = None
    was_read: bool = True
    is_newer: bool = False


class UnknownRecordingError(RecordingError):
    """The folder has no recording of that name."""


class RecordingFolder:
    """The recordings in one folder; safe to use from several threads. Every method does file I/O.

    A folder that does not exist has no recordings; the first save creates it. Bounds: `kept` recordings of
    training, as many of sessions, and as many files that are damaged or of an older version; the oldest go
    first. But while a session has more than a tenth of those of sessions, the one with the most loses its
    oldest, so that one that records much takes little from the others.
    """

    def __init__(self, path: Path, *, kept: int) -> None:
        self.path: Final = path
        self._kept = kept
        self._lock = threading.Lock()
        self._cache: dict[str, _CachedEntry] = {}

    @classmethod
    def of(cls, settings: Settings) -> "RecordingFolder":
        """Return the folder of a server with these settings: `recordings` in its data folder."""
        return cls(recordings_path(settings.data_dir), kept=settings.recordings_kept)

    def save(self, recording: Recording) -> RecordingInfo:
        """Save a recording, durably when this returns, and remove those beyond the bound.

        Raises `OSError` if it cannot be written; nothing has changed then.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        write_atomically(self._file(recording.info.recording), encode(recording))
        self._prune(recording.info.source)
        return recording.info

    def remove(self, recording: str) -> None:
        """Remove a recording, if it exists."""
        if is_recording_id(recording):
            self._file(recording).unlink(missing_ok=True)

    def load(self, recording: str) -> Recording:
        """Load the recording of an untrusted id; raises `RecordingError` if it cannot be used."""
        path = self.find(recording)
        try:
            return read_recording(path)
        except OSError as error:
            raise RecordingError(f"{path.name} cannot be read: {error.strerror}.") from error

    def find(self, recording: str) -> Path:
        """Return the file of an untrusted id; raises `UnknownRecordingError` if there is none."""
        if not is_recording_id(recording) or not self._file(recording).is_file():
            raise UnknownRecordingError(
                f"There is no recording {printable(recording[:80])!r}; see the list of recordings."
            )
        return self._file(recording)

    def entries(self) -> list[ListedRecording]:
        """List all recordings, newest first. Only changed files are read again: the first call is slow."""
        return [cached.entry for cached in self._refresh()]

    def _refresh(self) -> list[_CachedEntry]:
        with self._lock:
            kept: dict[str, _CachedEntry] = {}
            for name, status in self._scan():
                version = (status.st_mtime_ns, status.st_size, status.st_ino)
                cached = self._cache.get(name)
                if cached is None or cached.version != version or not cached.was_read:
                    cached = self._read(name, version)
                kept[name] = cached
            self._cache = kept
            return sorted(
                kept.values(), key=lambda cached: (cached.version[0], cached.entry.recording), reverse=True
            )

    def _prune(self, source: Source) -> None:
        """Remove those beyond the bounds, of this source and of unusable files."""
        cached = self._refresh()
        unusable = [one for one in cached if one.entry.info is None and one.was_read and not one.is_newer]
        of_source = [one for one in cached if one.entry.info is not None and one.entry.info.source == source]
        for one in [*unusable[self._kept :], *self._surplus(of_source)]:
            self.remove(one.entry.recording)

    def _surplus(self, newest_first: list[_CachedEntry]) -> list[_CachedEntry]:
        left = newest_first[::-1]
        counts = Counter[str | None](one.session_id for one in left if one.session_id is not None)
        surplus = []
        while len(left) > self._kept:
            at = 0
            if counts:
                most = max(counts.values())
                if most > max(1, self._kept // _SHARE):
                    # The oldest one of a session with the most, so that among equals the oldest goes.
                    at = next(number for number, one in enumerate(left) if counts[one.session_id] == most)
            one = left.pop(at)
            surplus.append(one)
            if one.session_id is not None:
                counts[one.session_id] -= 1
        return surplus

    def _scan(self) -> list[tuple[str, os.stat_result]]:
        found = []
        try:
            with os.scandir(self.path) as files:
                for file in files:
                    name = file.name.removesuffix(SUFFIX)
                    if file.name.endswith(SUFFIX) and is_recording_id(name) and file.is_file():
                        found.append((name, file.stat()))
        except OSError:
            return []  # it does not exist, or cannot be read
        return found

    def _read(self, name: str, version: _FileVersion) -> _CachedEntry:
        size = version[1]
        try:
            recording = read_recording(self._file(name))
        except RecordingError as error:
            is_newer = isinstance(error, NewerRecordingError)
            return _CachedEntry(version, ListedRecording(name, size, None, str(error)), is_newer=is_newer)
        except OSError as error:
            entry = ListedRecording(name, size, None, f"It cannot be read: {error.strerror}.")
            return _CachedEntry(version, entry, was_read=False)
        entry = ListedRecording(name, size, recording.info, world_digest=digest_of(recording.config))
        return _CachedEntry(version, entry, recording.session_id)

    def _file(self, recording: str) -> Path:
        return self.path / f"{recording}{SUFFIX}"
