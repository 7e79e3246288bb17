"""The results that the documentation speaks of: one committed file, and what is made of it."""

from pathlib import Path
from typing import Final

import msgspec

from bench.learning.configurations import PARTS, WHOLE
from bench.learning.results import Result

MEASURED: Final = Path(__file__).with_name("measured.json")


def published() -> list[Result]:
    """The committed results, by configuration, episodes and seed."""
    return msgspec.json.decode(MEASURED.read_bytes(), type=list[Result])


def encode(results: list[Result]) -> bytes:
    """Results as the committed file has them: a line a result, so that two versions can be compared."""
    return b"[\n" + b",\n".join(msgspec.json.encode(_rounded(result)) for result in results) + b"\n]\n"


def split(results: list[Result]) -> tuple[list[Result], list[Result]]:
    """The results to report, and those that tell what each part buys, which have seeds of their own."""
    seeds = {result.seed for result in results if result.configuration in PARTS}
    parts = [result for result in results if result.seed in seeds and result.configuration in (WHOLE, *PARTS)]
    return [result for result in results if result not in parts], parts


def _rounded(result: Result) -> Result:
    points = [
        msgspec.structs.replace(point, episode_return=round(point.episode_return, 1))
        for point in result.curve
    ]
    return msgspec.structs.replace(
        result,
        survival=round(result.survival, 2),
        episode_return=round(result.episode_return, 1),
        random_start_survival=round(result.random_start_survival, 2),
        random_start_completed=(
            None if result.random_start_completed is None else round(result.random_start_completed, 4)
        ),
        many_starts_survival=(
            None if result.many_starts_survival is None else round(result.many_starts_survival, 2)
        ),
        curve=points,
        wall_seconds=round(result.wall_seconds, 1),
        cpu_seconds=round(result.cpu_seconds, 1),
    )
