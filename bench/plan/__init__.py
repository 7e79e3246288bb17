"""Plan for more watchers than a machine carries: from measured costs, what any number of them needs."""


def main(arguments: list[str]) -> None:
    """Run the benchmark."""
    from bench.plan.command import run_plan  # noqa: PLC0415 - with psutil and sockets, for a list of names

    run_plan(arguments)
