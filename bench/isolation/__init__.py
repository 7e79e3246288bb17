"""Compare the gaps between frames of playing sessions without and with a training run on the same server.

Sessions play at speed 1, 10 frames a second, on a core reserved for the server; the run uses all of
another core, shows nothing and has no delay.
"""


def main(arguments: list[str]) -> None:
    """Run the benchmark."""
    from bench.isolation.measuring import measure, run  # noqa: PLC0415 (torch)

    run("isolation", __doc__, measure, arguments, rounds=3, whole=True)
