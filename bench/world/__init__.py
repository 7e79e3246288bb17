"""How fast worlds step: environment steps a second of N worlds with random actions, beside Gymnasium's.

Each step gives rewards and ends, and worlds whose episode is over begin anew. Hamlet is measured without and
with writing down what the agents see; Gymnasium's environments always do. Seconds are of processor time.
"""


def main(arguments: list[str]) -> None:
    """Run the benchmark."""
    from bench.world.measuring import measure, run  # noqa: PLC0415 (gymnasium)

    run("world", __doc__, measure, arguments, rounds=5)
