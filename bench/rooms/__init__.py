"""Compare the frame gaps of 50 playing sessions without and with a room whose 30 members all point.

Each member sends 20 cursors a second, the most that the page ever does. Sessions play the shipped model at
speed 1, 10 frames a second, on a core reserved for the server; the load generator runs on another. A bare
Quart-Trio app with as many sessions reads the same messages and does nothing with them.
"""


def main(arguments: list[str]) -> None:
    """Run the benchmark."""
    from bench.rooms.measuring import measure, run  # noqa: PLC0415 (torch)

    run("rooms", __doc__, measure, arguments, rounds=9, whole=True)
