"""Compare what 200 sessions and 50 viewers of a run cost with Redis and without it.

Three servers take turns on a core reserved for them: one without Redis, which trains; one with Redis, which
trains and tells the run to the other instance; and that one, which shows it to viewers of its own. The run is
shown at 20 frames a second, and somebody watches at the other instance as well. The cost is the server's
processor time for each frame of a session, everything else included: viewers, the run, snapshots, streams.
Needs `redis-server`.
"""


def main(arguments: list[str]) -> None:
    """Run the benchmark."""
    from bench.instances.measuring import measure, run  # noqa: PLC0415 (torch)

    run("instances", __doc__, measure, arguments, rounds=5, whole=True)
