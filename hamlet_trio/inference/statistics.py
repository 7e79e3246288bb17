"""Inference's counters, for the metrics. They only grow; the reader computes rates and means."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Final

from msgspec import Struct, field
from prometheus_client import Metric
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.utils import floatToGoString

BATCH_SIZES: Final = tuple(2**power for power in range(11))
SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Histogram:
    """Count values by the buckets that they fall into, for the metrics.

    prometheus_client's own takes two locks for each value, and goes through the buckets one by one; these
    are counted for every frame, in one thread.
    """

    def __init__(self, name: str, description: str, buckets: Sequence[float]) -> None:
        self._name = f"hamlet_inference_{name}"
        self._description = description
        self._bounds = (*buckets, float("inf"))
        self._counts = [0] * len(self._bounds)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Count a value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def collect(self) -> Iterable[Metric]:
        """Return the metric as it stands."""
        bounds = map(floatToGoString, self._bounds)
        buckets = list(zip(bounds, accumulate(self._counts), strict=True))
        yield HistogramMetricFamily(self._name, self._description, buckets=buckets, sum_value=self._sum)


class EngineCounters(Struct):
    """The policy engine's counts since the start; only the engine changes them."""

    batches: int = 0
    requests: int = 0
    largest_batch: int = 0
    steps: int = 0
    failed_requests: int = 0
    compute_seconds: float = 0.0
    """Time that batches took, including switches to a worker thread and back."""
    maps: int = 0
    """Policy maps made."""
    map_seconds: float = 0.0
    """Time that policy maps took, as above."""
    batch_sizes: Histogram = field(
        default_factory=lambda: Histogram(
            "batch_size", "requests of sessions in a batch", buckets=BATCH_SIZES
        )
    )
    step_seconds: Histogram = field(
        default_factory=lambda: Histogram(
            "step_seconds", "seconds from a session's request for a step to the answer", buckets=SECONDS
        )
    )

    def count_batch(self, requests: int, steps: int, seconds: float) -> None:
        """Count one batch."""
        self.batches += 1
        self.requests += requests
        self.largest_batch = max(self.largest_batch, requests)
        self.batch_sizes.observe(requests)
        self.steps += steps
        self.compute_seconds += seconds


class SessionCounters(Struct):
    """The sessions' counts since the start."""

    frames: int = 0
    episodes: int = 0
    """Episodes begun."""
    late_turns: int = 0
    """Turn so late that a session did not catch up: a slow client or an overloaded server."""
    failed_sessions: int = 0
    resumed: int = 0
    """Sessions that went on on another connection."""
    frame_seconds: Histogram = field(
        default_factory=lambda: Histogram(
            "frame_seconds",
            "seconds from when a frame was due until its client's connection took it; "
            "its count is the frames sent",
            buckets=SECONDS,
        )
    )
    errors: Counter[str] = field(default_factory=Counter)
    """Errors sent to clients."""


class InferenceStatistics(Struct, frozen=True, kw_only=True):
    """The current state, and all of `EngineCounters` and `SessionCounters`.

    Numbers are a snapshot; histograms and error counts are live objects that go on counting.
    """

    ready: bool
    active_sessions: int
    capacity: int
    loaded_policies: int
    engine_restarts: int
    deferred: int
    """Turn and commands that waited so that other sessions got their share."""
    load: float
    """Share of its time that the server needs for what sessions are entitled to."""
    lateness: float
    """Seconds that sessions are woken late, on average."""
    refused: int
    """Sessions refused because of the load."""
    playouts_waiting: int
    """Rewinds, recordings to load and to save that wait for the thread that plays them out."""
    batches: int
    requests: int
    largest_batch: int
    steps: int
    failed_requests: int
    compute_seconds: float
    maps: int
    map_seconds: float
    batch_sizes: Histogram
    step_seconds: Histogram
    frames: int
    episodes: int
    late_turns: int
    failed_sessions: int
    resumed: int
    frame_seconds: Histogram
    errors: Counter[str]
