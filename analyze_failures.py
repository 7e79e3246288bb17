"""Deprecated: `hamlet failures` lists how episodes ended, which this starts."""

import sys
from pathlib import Path

from hamlet_trio.cli import main

_OLDER = "metrics.db"
_ALL = "1000000"


def arguments(given: list[str]) -> list[str]:
    """The call of `hamlet failures` that does what the older program did: its database, and all rows."""
    names = {word.partition("=")[0] for word in given}
    if "--db" not in names and Path(_OLDER).is_file():
        given = [*given, "--db", _OLDER]
    if "--limit" not in names:
        given = [*given, "--limit", _ALL]
    return ["failures", *given]


if __name__ == "__main__":
    print("analyze_failures.py is deprecated: use `hamlet failures`.", file=sys.stderr)
    sys.argv[1:] = arguments(sys.argv[1:])
    main()
