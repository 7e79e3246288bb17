"""The leaderboard: what learners of several libraries reach in Hamlet-v0 and Hamlet-random-v0.

Each run is one file of a folder, so that what is there is not made again; `--publish` gathers all of them in
one committed file, from which the documentation's tables are made.
"""


def main(arguments: list[str]) -> None:
    """Make the runs asked for that are missing, and print the standings of all results."""
    from bench.leaderboard.command import main as run  # noqa: PLC0415 (imports torch, which tables do not need)

    run(arguments)
