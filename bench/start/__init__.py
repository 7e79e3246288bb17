"""Time the start of a server and measure its memory, anew each round, beside a bare app.

Seconds are from the start of the process; memory is what the process alone has (USS). An idle session is
connected and paused; a viewer is connected while nobody trains.
"""


def main(arguments: list[str]) -> None:
    """Run the benchmark."""
    from bench.start.measuring import measure, run  # noqa: PLC0415 (torch)

    run("start", __doc__, measure, arguments, rounds=5, whole=True)
