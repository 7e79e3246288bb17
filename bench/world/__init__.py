"""Measure how fast worlds step: steps a second of N worlds with random actions, beside Gymnasium's.

Each step gives rewards and ends, and worlds whose episode is over are reset. Hamlet is measured without and
with writing observations; Gymnasium's environments always write them. Seconds are of processor time.
"""


def main(arguments: list[str]) -> None:
    """Run the benchmark."""
    from bench.world.measuring import measure, run  # noqa: PLC0415 (gymnasium)

    run("world", __doc__, measure, arguments, rounds=5)
