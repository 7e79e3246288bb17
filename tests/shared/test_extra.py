"""The extra `redis`: what happens where it is not installed. Each in a fresh Python."""

import subprocess
import sys

from tests.patience import PATIENCE

# An import of a name that is None in sys.modules fails as if nothing of that name were installed.
CODE = (
    "import sys; sys.modules['coredis'] = None; from hamlet_trio.settings import Settings, SettingsError\n"
    "from hamlet_trio.web.metaserver import Metaserver\n"
    "Metaserver(Settings())\n"
    "try: Metaserver(Settings(redis_url='redis://127.0.0.1:1'))\n"
    "except SettingsError as error: print(error)\n"
)


def test_without_the_extra_a_server_runs_and_one_with_redis_says_what_to_install() -> None:
    command = [sys.executable, "-W", "error", "-c", CODE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1
    assert "pip install 'hamlet-trio[redis]'" in done.stdout
