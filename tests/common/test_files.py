"""Files are replaced as a whole, also where a file system cannot sync them."""

import errno
import os
import stat
from pathlib import Path

import pytest

from hamlet_trio.common.files import NotAFileError, open_regular, write_atomically


def refuse(monkeypatch: pytest.MonkeyPatch, number: int, *, folders: bool) -> None:
    """Let fsync of folders, or of files, answer an error."""
    sync = os.fsync

    def fsync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode) == folders:
            raise OSError(number, os.strerror(number))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EIO, errno.EACCES], ids=errno.errorcode.get)
def test_a_folder_that_cannot_be_synced_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    refuse(monkeypatch, number, folders=True)
    write_atomically(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"


def test_files_are_written_on_file_systems_that_cannot_sync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, errno.EINVAL, folders=False)
    write_atomically(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"


def test_a_file_that_was_not_written_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"old")
    refuse(monkeypatch, errno.EIO, folders=False)
    with pytest.raises(OSError, match="Input/output"):
        write_atomically(tmp_path / "file", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == b"old"


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    places = [tmp_path, Path(os.devnull)]
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")  # opening it to read would wait for its writer
        places.append(tmp_path / "pipe")
    for place in places:
        with pytest.raises(NotAFileError):
            open_regular(place)
