"""Compare the gaps between frames of a playing class without and with five policy maps a second for each.

Sessions play at speed 1, 10 frames a second, on a core reserved for the server; the load generator runs on
another. The model of options is the shipped one, the relational one has random weights.
"""


def main(arguments: list[str]) -> None:
    """Run the benchmark."""
    from bench.policymap.measuring import measure, run  # noqa: PLC0415 (torch)

    run("policymap", __doc__, measure, arguments, rounds=9)
