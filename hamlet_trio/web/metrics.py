"""Export the services' counts in Prometheus' text format, for `/metrics`."""

import threading
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

import trio
from prometheus_client import (
    CollectorRegistry,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from hamlet_trio.logs import dropped_lines
from hamlet_trio.protocol.errors import CloseCode, ErrorCode
from hamlet_trio.web.metaserver import Metaserver

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class Sample(NamedTuple):
    """Represent one metric: its name, its meaning and its current value."""

    name: str
    help: str
    value: float


class ServerCollector(Collector):
    """Read every value at the moment of a scrape; must be collected in the server's own thread."""

    def __init__(self, server: Metaserver) -> None:
        self._server = server

    def collect(self) -> Iterable[Metric]:
        """Yield every metric of this server."""
        for source in (
            self._server_gauges,
            self._inference_gauges,
            self._room_gauges,
            self._training_gauges,
            self._history_gauges,
            self._store_gauges,
        ):
            yield from (GaugeMetricFamily(f"hamlet_{s.name}", s.help, s.value) for s in source())
        for source in (
            self._connection_counters,
            self._inference_counters,
            self._training_counters,
            self._history_counters,
            self._store_counters,
        ):
            yield from (CounterMetricFamily(f"hamlet_{s.name}", s.help, s.value) for s in source())
        yield from self._by_code()
        numbers = self._server.inference.statistics()
        for histogram in (numbers.batch_sizes, numbers.step_seconds, numbers.frame_seconds):
            yield from histogram.collect()

    def describe(self) -> Iterable[Metric]:
        """Describe nothing in advance: names are known when they are collected."""
        return []

    def _server_gauges(self) -> list[Sample]:
        server, counts = self._server, self._server.connections
        return [
            Sample("ready", "1 when sessions can play", server.is_ready),
            Sample(
                "degraded", "services that fail while others work; /readyz names them", len(server.degraded)
            ),
            Sample("draining", "1 while the server shuts down", server.draining.is_set()),
            Sample("uptime_seconds", "seconds since the start", server.uptime),
            Sample("connections", "TCP connections now", counts.opened - counts.closed),
            Sample("tasks", "Trio tasks now", trio.lowlevel.current_statistics().tasks_living),
            Sample("threads", "threads now", threading.active_count()),
        ]

    def _connection_counters(self) -> list[Sample]:
        counts = self._server.connections
        return [
            Sample("connections_opened", "TCP connections accepted", counts.opened),
            Sample("connections_failed", "connections ended by an error in the server", counts.failed),
            Sample("connections_stalled", "clients dropped because they stopped reading", counts.stalled),
            Sample("connections_oversized", "connections closed with 1009", counts.oversized),
            Sample("connections_malformed", "requests that could not be read", counts.malformed),
            Sample("log_lines_lost", "log lines that nobody took, and were given up", dropped_lines()),
        ]

    def _inference_gauges(self) -> list[Sample]:
        numbers = self._server.inference.statistics()
        return [
            Sample("inference_sessions", "inference sessions now", numbers.active_sessions),
            Sample("inference_capacity", "inference sessions at most", numbers.capacity),
            Sample("inference_load", "share of its time that the server needs for sessions", numbers.load),
            Sample(
                "inference_lateness_seconds", "seconds that sessions are late, on average", numbers.lateness
            ),
            Sample("inference_policies", "policies in memory", numbers.loaded_policies),
            Sample(
                "inference_playouts_waiting",
                "rewinds and recordings that wait",
                numbers.playouts_waiting,
            ),
            Sample("inference_largest_batch", "most requests answered at once", numbers.largest_batch),
        ]

    def _inference_counters(self) -> list[Sample]:
        numbers = self._server.inference.statistics()
        return [
            Sample("inference_batches", "batches of requests answered", numbers.batches),
            Sample("inference_requests", "requests of sessions answered", numbers.requests),
            Sample("inference_failed_requests", "requests answered with an error", numbers.failed_requests),
            Sample("inference_steps", "steps of worlds", numbers.steps),
            Sample("inference_compute_seconds", "seconds that batches took", numbers.compute_seconds),
            Sample("inference_maps", "policy maps made", numbers.maps),
            Sample("inference_map_seconds", "seconds that policy maps took", numbers.map_seconds),
            Sample("inference_engine_restarts", "restarts of the policy engine", numbers.engine_restarts),
            Sample("inference_frames", "frames made for sessions", numbers.frames),
            Sample("inference_episodes", "episodes begun", numbers.episodes),
            Sample("inference_late_turns", "steps made too late to catch up", numbers.late_turns),
            Sample(
                "inference_deferred",
                "turns and commands that made way for others",
                numbers.deferred,
            ),
            Sample("inference_refused", "sessions refused because of the load", numbers.refused),
            Sample("inference_failed_sessions", "sessions ended by an error", numbers.failed_sessions),
            Sample("sessions_resumed", "sessions that went on on another connection", numbers.resumed),
        ]

    def _room_gauges(self) -> list[Sample]:
        numbers = self._server.rooms.statistics()
        return [
            Sample("room_members", "members of rooms now", numbers.members),
            Sample("rooms", "rooms that somebody is in", numbers.rooms),
        ]

    def _training_gauges(self) -> list[Sample]:
        training, numbers = self._server.training, self._server.training.statistics()
        return [
            Sample("training_viewers", "training viewers now", training.viewers),
            Sample("training_capacity", "training viewers at most", self._server.settings.max_viewers),
            Sample("training_active", "1 while a run or a sweep is on", training.is_training),
            Sample("training_steps_per_second", "the run's speed", numbers.steps_per_second),
        ]

    def _training_counters(self) -> list[Sample]:
        numbers = self._server.training.statistics()
        return [
            Sample("training_runs", "runs started", numbers.runs),
            Sample("training_restarts", "runs resumed after their trainer died", numbers.restarts),
            Sample("training_episodes", "episodes trained", numbers.episodes),
            Sample("training_steps", "steps trained", numbers.steps),
            Sample("training_frames", "frames queued for viewers", numbers.hub.frames),
            Sample("training_frames_dropped", "frames dropped for slow viewers", numbers.hub.frames_dropped),
            Sample("training_viewers_dropped", "viewers closed with 1013", numbers.hub.viewers_dropped),
        ]

    def _by_code(self) -> Iterable[Metric]:
        """Yield errors and closes; labels are bounded by the codes of the wire and the places."""
        server = self._server
        errors = CounterMetricFamily(
            "hamlet_errors", "errors answered to clients, by code and place", labels=("code", "place")
        )
        for place, counts in {
            "http": server.errors,
            "inference": server.inference.counters.errors,
            "training": server.training.statistics().errors,
        }.items():
            for code in ErrorCode:
                errors.add_metric((code, place), counts[code])
        closes = CounterMetricFamily(
            "hamlet_websocket_closes", "WebSockets closed by the server's own decision", labels=("code",)
        )
        for close in CloseCode:
            closes.add_metric((str(int(close)),), server.closes[close])
        return errors, closes

    def _history_gauges(self) -> list[Sample]:
        numbers = self._server.history.statistics()
        return [
            Sample("history_working", "1 while what happens in runs is being kept", numbers.working),
            Sample("history_waiting", "records that wait to be kept", numbers.waiting),
        ]

    def _store_gauges(self) -> list[Sample]:
        store, shelf = self._server.store, self._server.shelf
        if store is None or shelf is None:
            return []
        return [
            Sample(
                "store_up",
                "1 while Redis answers; absent without HAMLET_REDIS_URL, like all figures of kept sessions",
                store.is_up,
            ),
            Sample("sessions_waiting", "sessions changed since they were written to Redis", shelf.waiting),
            *self._shared_run_gauges(),
        ]

    def _shared_run_gauges(self) -> list[Sample]:
        run, training = self._server.shared_run, self._server.training.sharing
        if run is None or training is None:
            return []
        return [
            Sample("instances", "instances that share Redis now", run.instances),
            Sample("run_held", "1 while this instance trains the run of all instances", run.takes_part),
            Sample("run_followed", "1 while this instance shows a run that another trains", training.follows),
            Sample(
                "run_lag_seconds", "age of the run's last event when it came from another instance", run.lag
            ),
            Sample("run_waiting", "events of the run that wait for Redis", run.waiting),
        ]

    def _store_counters(self) -> list[Sample]:
        shelf, training = self._server.shelf, self._server.training.sharing
        if shelf is None or training is None:
            return []
        return [
            Sample("sessions_kept", "snapshots of sessions written to Redis", shelf.written),
            Sample(
                "sessions_given_up", "sessions left while Redis was away, and not written", shelf.given_up
            ),
            Sample(
                "run_takeovers", "runs continued here because their instance was gone", training.takeovers
            ),
            Sample("run_gaps", "times that events of the run were missing in Redis", training.gaps),
        ]

    def _history_counters(self) -> list[Sample]:
        numbers = self._server.history.statistics()
        return [
            Sample("history_records", "records kept of runs and episodes", numbers.written),
            Sample("history_lost", "records given up after too many had to wait", numbers.lost),
            Sample("history_transactions", "transactions of the history", numbers.transactions),
            Sample("history_seconds", "seconds that transactions took", numbers.seconds),
        ]


def make_metrics(server: Metaserver) -> Callable[[], bytes]:
    """Return a function that renders this server's metrics, from a registry of its own."""
    # Dashboards have no use for a second series of each histogram.
    disable_created_metrics()  # type: ignore[no-untyped-call]
    registry = CollectorRegistry()
    registry.register(ServerCollector(server))
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    return lambda: generate_latest(registry)
