"""How many sessions one core carries: all playing at 10 steps a second, 99 % of frames less than 20 ms late.

Each session is late against deadlines of its own, a tenth of a second apart. The server has a core to itself,
the load generator is on another. Beside it a bare Quart-Trio app sends constant frames of the same size.
"""


def main(arguments: list[str]) -> None:
    """Run the benchmark."""
    from bench.sessions.measuring import measure, run  # noqa: PLC0415 (torch)

    run("sessions", __doc__, measure, arguments, rounds=3)
