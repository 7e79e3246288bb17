"""Count what happens in a soak."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Tally:
    """Hold the counts of one soak; only the load generator's thread writes it.

    Attributes:
        connections: opened by well-behaved clients.
        messages: read by them.
        lost: messages that a well-behaved client should have had and did not: a gap in the steps of its
            episode, or in the episodes of the run.
        innocent: errors that reached a well-behaved client, by what they were.
        faults: injected faults, by kind.
        expected: what well-behaved viewers are told of a fault, such as a trainer's restart.
    """

    connections: int = 0
    messages: int = 0
    lost: int = 0
    innocent: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    expected: Counter[str] = field(default_factory=Counter)
