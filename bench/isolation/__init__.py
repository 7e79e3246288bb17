"""Do playing sessions notice a training run? Gaps between their frames without and with one, on one server.

Sessions play at speed 1, 10 frames a second, on a core that is the server's alone; the run uses the whole of
another core, shows nothing and has no delay.
"""


def main(arguments: list[str]) -> None:
    """Run the benchmark."""
    from bench.isolation.measuring import measure, run  # noqa: PLC0415 (torch)

    run("isolation", __doc__, measure, arguments, rounds=3, whole=True)
