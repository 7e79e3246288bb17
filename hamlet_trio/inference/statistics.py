"""What inference counts, for the metrics. Counters only grow; means are for the reader to divide."""

from msgspec import Struct


class EngineCounters(Struct):
    """Counted by the policy engine since the start; only the engine changes them."""

    batches: int = 0
    requests: int = 0
    largest_batch: int = 0
    steps: int = 0
    failed_requests: int = 0
    compute_seconds: float = 0.0
    """Time that batches took, the way to the worker thread and back included."""
    request_seconds: float = 0.0
    """Sum over all requests of the time from asking to the answer."""

    def count_batch(self, requests: int, steps: int, seconds: float) -> None:
        """Count one batch."""
        self.batches += 1
        self.requests += requests
        self.largest_batch = max(self.largest_batch, requests)
        self.steps += steps
        self.compute_seconds += seconds


class SessionCounters(Struct):
    """Counted by the sessions since the start."""

    frames: int = 0
    episodes: int = 0
    """Episodes begun."""
    late_turns: int = 0
    """Turns so late that a session gave up catching up: a slow client, or a server out of breath."""
    failed_sessions: int = 0


class InferenceStatistics(Struct, frozen=True, kw_only=True):
    """A snapshot: what is there now, and all of `EngineCounters` and `SessionCounters`."""

    ready: bool
    active_sessions: int
    capacity: int
    loaded_policies: int
    engine_restarts: int
    batches: int
    requests: int
    largest_batch: int
    steps: int
    failed_requests: int
    compute_seconds: float
    request_seconds: float
    frames: int
    episodes: int
    late_turns: int
    failed_sessions: int
