"""Start the metaserver with a banner of its endpoints; the same as `hamlet serve`."""

import sys

from hamlet_trio.settings import SettingsError, load_settings
from hamlet_trio.web.serve import main


def run() -> int:
    """Serve with the settings of the environment; returns the exit code."""
    try:
        settings = load_settings()
    except SettingsError as error:
        print(f"hamlet: {error}", file=sys.stderr)
        return 1
    return main(settings, banner=True)


if __name__ == "__main__":
    sys.exit(run())
