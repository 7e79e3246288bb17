"""Represent what a check found: one sentence each, which says what to do if something is wrong."""

from enum import StrEnum
from typing import NamedTuple


class Severity(StrEnum):
    """The severity of a finding: a problem keeps a restart from working or from being safe."""

    FINE = "fine"
    WARNING = "warning"
    PROBLEM = "problem"
    UNCHECKED = "unchecked"


class Finding(NamedTuple):
    """Represent one checked thing."""

    verdict: Severity
    about: str
    sentence: str


def fine(about: str, sentence: str) -> Finding:
    """Report something that is right."""
    return Finding(Severity.FINE, about, sentence)


def warning(about: str, sentence: str) -> Finding:
    """Report something that works but deserves attention."""
    return Finding(Severity.WARNING, about, sentence)


def problem(about: str, sentence: str) -> Finding:
    """Report something that will not work or is not safe."""
    return Finding(Severity.PROBLEM, about, sentence)


def unchecked(about: str, sentence: str) -> Finding:
    """Report something that could not be checked here."""
    return Finding(Severity.UNCHECKED, about, sentence)
