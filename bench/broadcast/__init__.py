"""How many viewers one core carries: a run shown at 20 frames a second, 99 % of frames less than 50 ms late.

A viewer's frame is late against the first viewer that had it, and one that never comes is late by a second.
Then the same with 1 % of viewers that never read. Beside it a bare app that sends frames of the same size.
"""


def main(arguments: list[str]) -> None:
    """Run the benchmark."""
    from bench.broadcast.measuring import measure, run  # noqa: PLC0415 (torch)

    run("broadcast", __doc__, measure, arguments, rounds=3, whole=True)
