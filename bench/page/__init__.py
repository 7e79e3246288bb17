"""Measure the page: its weight, the first view, and what four compared sessions at 10x cost the browser.

A real headless Chromium before a real server. Processor time is that of all of Chromium's processes (browser,
renderer, compositor, network), as a share of one core; the server's own is not in it. It is measured while
nothing else watches the page: counting refreshes, for instance, makes the browser refresh.
"""


def main(arguments: list[str]) -> None:
    """Run the benchmark."""
    from bench.page.measuring import measure  # noqa: PLC0415 (Playwright)
    from bench.suite.command import run  # noqa: PLC0415

    run("page", __doc__, measure, arguments, rounds=5, whole=True)
