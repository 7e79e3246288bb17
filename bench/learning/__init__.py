"""How well configurations learn: many seeds of each, resumable, as a table and a picture."""


def main(arguments: list[str]) -> None:
    """Make the runs asked for that are missing, and print the table of all results."""
    from bench.learning.command import main as run  # noqa: PLC0415 (imports torch, which tables do not need)

    run(arguments)
