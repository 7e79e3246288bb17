"""Compiling the kernel, and doing without."""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from hamlet_trio.world import kernel, kernel_build
from tests.needs import left_out
from tests.patience import PATIENCE

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A kernel.c of one's own, so that the library in use is let be."""
    copied = Path(shutil.copy(kernel_build.SOURCE, tmp_path))
    monkeypatch.setattr(kernel_build, "SOURCE", copied)
    return copied


@pytest.fixture
def compiler() -> list[str]:
    found = kernel_build.find_compiler()
    if found is None:
        left_out("there is no C compiler")
    return found


@pytest.mark.usefixtures("compiler")
def test_it_is_compiled_once_and_again_when_it_changes(source: Path) -> None:
    assert kernel_build.build()
    first = kernel_build.library()
    assert first.is_file()
    assert not kernel_build.build()
    source.write_text(source.read_text() + "\n")
    second = kernel_build.library()
    assert second != first
    assert kernel_build.build()
    assert sorted(source.parent.iterdir()) == sorted([source, second]), "an older one, or a folder, is left"


def test_no_warning_is_let_pass(compiler: list[str], tmp_path: Path) -> None:
    flags = [*kernel_build.FLAGS, "-fPIC", "-Werror", "-Wpedantic", "-Wconversion"]
    command = [*compiler, *flags, "-o", str(tmp_path / "library"), str(kernel_build.SOURCE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.usefixtures("source")
def test_without_a_compiler_it_is_left_out_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.delenv("HAMLET_REQUIRE_ALL", raising=False)
    assert kernel_build.main() == 0
    said = capsys.readouterr().err
    assert said == (
        "Left out the world's kernel: it needs a C compiler: cc, gcc or clang on PATH, or another one named "
        "by CC. Worlds are stepped by numpy.\n"
    )
    monkeypatch.setenv("HAMLET_REQUIRE_ALL", "1")
    assert kernel_build.main() == 1


def test_a_compiler_that_fails_is_reported(
    source: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CC", "false")
    monkeypatch.delenv("HAMLET_REQUIRE_ALL", raising=False)
    assert kernel_build.main() == 0
    assert "Left out the world's kernel: false failed: no reason given." in capsys.readouterr().err
    monkeypatch.setenv("HAMLET_REQUIRE_ALL", "1")
    assert kernel_build.main() == 1
    assert list(source.parent.iterdir()) == [source]


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize("content", [None, b"no program"])
def test_a_compiler_that_cannot_be_run_is_reported(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program = tmp_path / "compiler"
    if content is not None:
        program.write_bytes(content)
        program.chmod(0o755)
    monkeypatch.setenv("CC", 'gcc "' if content is None else str(program))
    monkeypatch.delenv("HAMLET_REQUIRE_ALL", raising=False)
    assert kernel_build.main() == 0
    assert "Left out the world's kernel: it cannot be compiled: " in capsys.readouterr().err


@pytest.mark.usefixtures("source")
def test_a_library_that_cannot_be_loaded_is_not_used() -> None:
    """Such as one that another machine left in a shared folder."""
    kernel_build.library().write_bytes(b"no library")
    kernel.load.cache_clear()
    try:
        assert kernel.load() is None
    finally:
        kernel.load.cache_clear()


@pytest.mark.usefixtures("compiled")
def test_a_wheel_has_it_and_is_for_one_platform_and_a_source_archive_has_its_source(tmp_path: Path) -> None:
    if find_spec("hatchling") is None:
        left_out("needs hatchling")
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(tmp_path)]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, timeout=PATIENCE)
    (wheel,) = tmp_path.glob("*.whl")
    library = f"hamlet_trio/world/{kernel_build.library().name}"
    with zipfile.ZipFile(wheel) as archive:
        assert library in archive.namelist()
        assert "hamlet_trio/world/kernel.c" in archive.namelist()
        (about,) = (name for name in archive.namelist() if name.endswith(".dist-info/WHEEL"))
        lines = archive.read(about).decode().splitlines()
    assert "Root-Is-Purelib: false" in lines
    (tag,) = (line.removeprefix("Tag: ") for line in lines if line.startswith("Tag: "))
    assert tag.startswith("py3-none-")
    assert tag != "py3-none-any"
    assert wheel.name.endswith(f"{tag}.whl")
    (sources,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(sources) as archive:
        inside = [name.partition("/")[2] for name in archive.getnames()]
    assert "hamlet_trio/world/kernel.c" in inside
    assert library not in inside
