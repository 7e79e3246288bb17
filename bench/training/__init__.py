"""Measure how fast agents learn and act on one core: environment steps a second, beside other learners.

Every step of every learner is followed by one gradient update of 32 transitions, or every eight steps by
eight, as runs of this package make them; epsilon stays at 0.05, so that nearly every step also asks the
network. Seconds are of processor time, so that what else runs counts less.
"""


def main(arguments: list[str]) -> None:
    """Run the benchmark."""
    from bench.training.measuring import measure, run  # noqa: PLC0415 (torch and stable-baselines3)

    run("training", __doc__, measure, arguments, rounds=3)
