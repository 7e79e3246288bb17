"""The results that the documentation speaks of: one committed file."""

from pathlib import Path
from typing import Final

import msgspec

from bench.company.measuring import CompanyResult

MEASURED: Final = Path(__file__).with_name("measured.json")


def published() -> list[CompanyResult]:
    """Return the committed results."""
    return msgspec.json.decode(MEASURED.read_bytes(), type=list[CompanyResult])


def encode(results: list[CompanyResult]) -> bytes:
    """Return results as the committed file has them: one on each line, so that versions can be compared."""
    return b"[\n" + b",\n".join(msgspec.json.encode(result) for result in results) + b"\n]\n"
