"""What importing the world brings along, and what it does without the extra; each in a fresh Python."""

import subprocess
import sys

import pytest

from tests.patience import PATIENCE

# An import of a name that is None in sys.modules fails as if nothing of that name were installed.
HIDE = "import sys; sys.modules[{0!r}] = None; "


def run(code: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)


def test_the_world_imports_no_extra_and_no_torch() -> None:
    done = run("import hamlet_trio.world, sys; print(sorted(sys.modules))")
    assert done.returncode == 0, done.stderr
    loaded = done.stdout
    for name in ("gymnasium", "pettingzoo", "torch", "trio"):
        assert f"'{name}'" not in loaded
    assert "'numpy'" in loaded


@pytest.mark.parametrize(
    "imports",
    [
        "import gymnasium; import hamlet_trio",
        "import hamlet_trio; import gymnasium",
        "import hamlet_trio; import gymnasium; import hamlet_trio.world",
        "import gymnasium; import hamlet_trio.world",
        "import hamlet_trio.world; import gymnasium",
        "import hamlet_trio.world; import gymnasium.envs",
        "import importlib.util, hamlet_trio.world; importlib.util.find_spec('gymnasium'); import gymnasium",
    ],
)
def test_hamlet_is_registered_whichever_is_imported_first(imports: str) -> None:
    done = run(f"{imports}; gymnasium.make('Hamlet-v0'); print(gymnasium.registry['Hamlet-v0'].entry_point)")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "hamlet_trio.envs.gymnasium_env:HamletEnv"


@pytest.mark.parametrize("module", ["hamlet_trio", "hamlet_trio.world"])
def test_gymnasium_imports_the_package_by_itself(module: str) -> None:
    done = run(f"import gymnasium; print(gymnasium.make('{module}:Hamlet-v0').observation_space.shape)")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "(72,)"


@pytest.mark.parametrize("missing", ["gymnasium", "pettingzoo"])
def test_a_missing_extra_is_reported_with_its_remedy(missing: str) -> None:
    done = run(HIDE.format(missing) + "import hamlet_trio.world; hamlet_trio.world.parallel_env()")
    assert done.returncode == 1
    expected = f'ModuleNotFoundError: parallel_env needs {missing}: pip install "hamlet-trio[gym]"'
    assert done.stderr.splitlines()[-1] == expected
