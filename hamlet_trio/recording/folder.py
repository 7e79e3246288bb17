"""The folder of recordings: what there is, what a name means, and how many are kept."""

import os
import threading
from pathlib import Path
from typing import Final, TypeAlias

from hamlet_trio.agent.atomic import write_atomically
from hamlet_trio.agent.text import printable
from hamlet_trio.recording.file import SUFFIX, Recording, RecordingError, encode, read_recording
from hamlet_trio.recording.info import ListedRecording, RecordingInfo, is_recording_id
from hamlet_trio.settings import Settings

_Stamp: TypeAlias = tuple[int, int, int]


class UnknownRecordingError(RecordingError):
    """A name that is no recording of the folder."""


def recordings_path(data_dir: str) -> Path:
    """The folder of recordings in a data folder."""
    return Path(data_dir) / "recordings"


class RecordingFolder:
    """The recordings in one folder; safe to use from several threads. Every method does file I/O.

    A folder that does not exist has no recordings; the first save makes it. Bounds: of those of training,
    and of those of sessions, `kept` each; the oldest go first.
    """

    def __init__(self, path: Path, *, kept: int) -> None:
        self.path: Final = path
        self._kept = kept
        self._lock = threading.Lock()
        self._cache: dict[str, tuple[_Stamp, ListedRecording]] = {}

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
        self._prune(recording.info)
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
        with self._lock:
            kept: dict[str, tuple[_Stamp, ListedRecording]] = {}
            for name, status in self._scan():
                stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
                cached = self._cache.get(name)
                kept[name] = cached if cached and cached[0] == stamp else (stamp, self._look_at(name, status))
            self._cache = kept
            found = sorted(kept.items(), key=lambda item: (item[1][0][0], item[0]), reverse=True)
            return [entry for _, (_, entry) in found]

    def _prune(self, newest: RecordingInfo) -> None:
        of_its_kind = [
            entry.recording for entry in self.entries() if entry.info and entry.info.source == newest.source
        ]
        for recording in of_its_kind[self._kept :]:
            self.remove(recording)

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

    def _look_at(self, name: str, status: os.stat_result) -> ListedRecording:
        try:
            info = read_recording(self._file(name)).info
        except RecordingError as error:
            return ListedRecording(name, status.st_size, None, str(error))
        except OSError as error:
            return ListedRecording(name, status.st_size, None, f"It cannot be read: {error.strerror}.")
        return ListedRecording(name, status.st_size, info)

    def _file(self, recording: str) -> Path:
        return self.path / f"{recording}{SUFFIX}"
