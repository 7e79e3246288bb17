"""The folder of recordings: what there is, what a name means, and how many are kept."""

import os
import threading
from collections import Counter
from pathlib import Path
from typing import Final, TypeAlias

from msgspec import Struct

from hamlet_trio.common.files import write_atomically
from hamlet_trio.common.text import printable
from hamlet_trio.recording.file import SUFFIX, Recording, RecordingError, encode, read_recording
from hamlet_trio.recording.info import ListedRecording, RecordingInfo, Source, is_recording_id
from hamlet_trio.settings import Settings

_SHARE: Final = 10  # one session is spared up to one in so many of the places of all

_Stamp: TypeAlias = tuple[int, int, int]


class _Seen(Struct, frozen=True):
    """A file as it was when it was read last, and which session kept it.

    What was not to be read (`was_read`) may be a good recording all the same, for want of a descriptor, say.
    """

    stamp: _Stamp
    entry: ListedRecording
    session_id: str | None = None
    was_read: bool = True


class UnknownRecordingError(RecordingError):
    """A name that is no recording of the folder."""


def recordings_path(data_dir: str) -> Path:
    """The folder of recordings in a data folder."""
    return Path(data_dir) / "recordings"


class RecordingFolder:
    """The recordings in one folder; safe to use from several threads. Every method does file I/O.

    A folder that does not exist has no recordings; the first save makes it. Bounds: of those of training,
    of those of sessions, and of files that are damaged or of another version, `kept` each; the oldest go
    first. But while a session has more than a tenth of those of sessions, the one with the most gives up its
    oldest: so one that records much takes little from the others.
    """

    def __init__(self, path: Path, *, kept: int) -> None:
        self.path: Final = path
        self._kept = kept
        self._lock = threading.Lock()
        self._cache: dict[str, _Seen] = {}

    @classmethod
    def of(cls, settings: Settings) -> "RecordingFolder":
        """The folder of a server with these settings: `recordings` in its data folder."""
        return cls(recordings_path(settings.data_dir), kept=settings.recordings_kept)

    def save(self, recording: Recording) -> RecordingInfo:
        """Keep a recording, on the disk when this returns; then forget what is over the bound.

        Raises `OSError` when it cannot be written; nothing has changed then.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        write_atomically(self._file(recording.info.recording), encode(recording))
        self._prune(recording.info.source)
        return recording.info

    def remove(self, recording: str) -> None:
        """Forget a recording, if it is there."""
        if is_recording_id(recording):
            self._file(recording).unlink(missing_ok=True)

    def load(self, recording: str) -> Recording:
        """The recording of an id, perhaps a stranger's; raises `RecordingError` if it cannot be used."""
        path = self.find(recording)
        try:
            return read_recording(path)
        except OSError as error:
            raise RecordingError(f"{path.name} cannot be read: {error.strerror}.") from error

    def find(self, recording: str) -> Path:
        """The file of an id, perhaps a stranger's; raises `UnknownRecordingError` if there is none."""
        if not is_recording_id(recording) or not self._file(recording).is_file():
            raise UnknownRecordingError(
                f"There is no recording {printable(recording[:80])!r}; see the list of recordings."
            )
        return self._file(recording)

    def entries(self) -> list[ListedRecording]:
        """All recordings, newest first. A file is read again only when it changed: the first time is slow."""
        return [seen.entry for seen in self._look()]

    def _look(self) -> list[_Seen]:
        with self._lock:
            kept: dict[str, _Seen] = {}
            for name, status in self._scan():
                stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
                cached = self._cache.get(name)
                if cached is None or cached.stamp != stamp or not cached.was_read:
                    cached = self._look_at(name, stamp)
                kept[name] = cached
            self._cache = kept
            return sorted(kept.values(), key=lambda seen: (seen.stamp[0], seen.entry.recording), reverse=True)

    def _prune(self, source: Source) -> None:
        """Forget what is over the bounds, of this source and of what cannot be used."""
        seen = self._look()
        unusable = [one for one in seen if one.entry.info is None and one.was_read]
        of_source = [one for one in seen if one.entry.info is not None and one.entry.info.source == source]
        for one in [*unusable[self._kept :], *self._to_forget(of_source)]:
            self.remove(one.entry.recording)

    def _to_forget(self, newest_first: list[_Seen]) -> list[_Seen]:
        left = newest_first[::-1]
        counts = Counter[str | None](one.session_id for one in left if one.session_id is not None)
        forgotten = []
        while len(left) > self._kept:
            at = 0
            if counts:
                most = max(counts.values())
                if most > max(1, self._kept // _SHARE):
                    # The oldest one of a session with the most, so that among equals the oldest goes.
                    at = next(number for number, one in enumerate(left) if counts[one.session_id] == most)
            one = left.pop(at)
            forgotten.append(one)
            if one.session_id is not None:
                counts[one.session_id] -= 1
        return forgotten

    def _scan(self) -> list[tuple[str, os.stat_result]]:
        found = []
        try:
            with os.scandir(self.path) as files:
                for file in files:
                    name = file.name.removesuffix(SUFFIX)
                    if file.name.endswith(SUFFIX) and is_recording_id(name) and file.is_file():
                        found.append((name, file.stat()))
        except OSError:
            return []  # not there, or not ours to read
        return found

    def _look_at(self, name: str, stamp: _Stamp) -> _Seen:
        size = stamp[1]
        try:
            recording = read_recording(self._file(name))
        except RecordingError as error:
            return _Seen(stamp, ListedRecording(name, size, None, str(error)))
        except OSError as error:
            entry = ListedRecording(name, size, None, f"It cannot be read: {error.strerror}.")
            return _Seen(stamp, entry, was_read=False)
        return _Seen(stamp, ListedRecording(name, size, recording.info), recording.session_id)

    def _file(self, recording: str) -> Path:
        return self.path / f"{recording}{SUFFIX}"
