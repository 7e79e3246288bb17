"""Measure what a frame takes: bytes on the wire, and the server's processor time, in each form of frames.

Bytes are the mean over play at 10x with the model and the world in which a session begins, headers included.
Processor time is the server's at a fixed load, divided by the frames that came; beside it that of plain Trio
tasks which write prepared frames of the same size (bench/suite/least.py), for sessions and for viewers of a
run. It counts seconds of the processor, so other work on the machine blurs it little.
"""


def main(arguments: list[str]) -> None:
    """Run the benchmark."""
    from bench.frames.measuring import measure, run  # noqa: PLC0415 (torch)

    run("frames", __doc__, measure, arguments, rounds=3, whole=True)
