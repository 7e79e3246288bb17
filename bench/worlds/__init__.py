"""Compare the cost of 50 sessions in 20 different worlds with that of 50 in one.

Sessions play the shipped model at speed 1, 10 frames a second, on a core reserved for the server; the load
generator runs on another. The cost is the server's processor time for a frame, everything included.
"""


def main(arguments: list[str]) -> None:
    """Run the benchmark."""
    from bench.worlds.measuring import measure, run  # noqa: PLC0415 (torch)

    run("worlds", __doc__, measure, arguments, rounds=5, whole=True)
