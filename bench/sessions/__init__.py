"""Count the sessions that one core carries: all play at 10 steps/s, 99 % of frames less than 20 ms late.

Each session has its own deadlines, a tenth of a second apart. The server has a core to itself;
the load generator runs on another. A bare Quart-Trio app and plain Trio tasks that send frames of the same
size are measured too.
"""


def main(arguments: list[str]) -> None:
    """Run the benchmark."""
    from bench.sessions.measuring import measure, run  # noqa: PLC0415 (torch)

    run("sessions", __doc__, measure, arguments, rounds=3)
