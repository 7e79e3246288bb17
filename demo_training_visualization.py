"""Deprecated: inference and training are served by one server now, which this starts."""

import sys

from demo_metaserver import run

if __name__ == "__main__":
    print(
        "demo_training_visualization.py is deprecated: one server does both now. "
        "Use `python demo_metaserver.py` or `hamlet serve`; training is on /ws/training.",
        file=sys.stderr,
    )
    sys.exit(run())
