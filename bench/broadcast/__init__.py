"""Count the viewers that one core carries: a run shown at 20 frames/s, 99 % of frames less than 50 ms late.

A frame's lateness is measured from the first viewer that received it; a missing frame counts as one second.
The measurement is repeated with 1 % of viewers that never read, and for a bare app and plain Trio tasks with
frames of that size.
"""


def main(arguments: list[str]) -> None:
    """Run the benchmark."""
    from bench.broadcast.measuring import measure, run  # noqa: PLC0415 (torch)

    run("broadcast", __doc__, measure, arguments, rounds=3, whole=True)
