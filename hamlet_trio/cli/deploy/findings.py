"""What a check found: each finding is one sentence, and says what to do where something is to be done."""

from enum import StrEnum
from typing import NamedTuple


class Severity(StrEnum):
    """How a finding counts: a problem keeps a restart from working, or from being safe."""

    FINE = "fine"
    WARNING = "warning"
    PROBLEM = "problem"
    UNCHECKED = "unchecked"


class Finding(NamedTuple):
    """One thing that was looked at."""

    verdict: Severity
    about: str
    sentence: str


def fine(about: str, sentence: str) -> Finding:
    """It is as it should be."""
    return Finding(Severity.FINE, about, sentence)


def warning(about: str, sentence: str) -> Finding:
    """It works, but somebody should know."""
    return Finding(Severity.WARNING, about, sentence)


def problem(about: str, sentence: str) -> Finding:
    """It will not work, or is not safe."""
    return Finding(Severity.PROBLEM, about, sentence)


def unchecked(about: str, sentence: str) -> Finding:
    """It could not be looked at here."""
    return Finding(Severity.UNCHECKED, about, sentence)
