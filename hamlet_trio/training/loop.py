"""The one training loop: the trainer process and `hamlet train` differ only in their orders and listeners."""

import math
import time
from collections.abc import Sequence
from typing import Protocol

from hamlet_trio.agent.update import DivergedError
from hamlet_trio.history.records import Ending
from hamlet_trio.protocol.parameters import Showing
from hamlet_trio.training.listener import RunListener
from hamlet_trio.training.managed_run import ManagedRun, SaveError
from hamlet_trio.training.orders import (
    HEARTBEAT,
    BeginOrder,
    Order,
    PauseOrder,
    ResumeOrder,
    ShowOrder,
    StopOrder,
    SyncOrder,
)
from hamlet_trio.training.run_result import RunResult


class Orders(Protocol):
    """Where the orders to a loop come from."""

    def get(self, deadline: float | None = None) -> Order | None:
        """Return the next order, None to save and end so that the run can be resumed.

        Waits for it, at most until `time.monotonic()` reaches the deadline; then raises `TimeoutError`.
        """
        ...

    def has_order(self) -> bool:
        """Return whether `get` would return at once."""
        ...


class TrainingLoop:
    """Step a run until it is complete or ordered to end, save it, and tell the listeners, in their order.

    Orders are carried out between two environment steps. With a `showing` that is live, the steps of a shown
    episode are `step_delay` seconds apart; without one, as in a showcase, the loop never waits.
    """

    def __init__(
        self,
        managed: ManagedRun,
        orders: Orders,
        listeners: Sequence[RunListener],
        *,
        paused: bool = False,
        watched: bool = False,
        showing: Showing | None = None,
    ) -> None:
        self._managed = managed
        self._orders = orders
        self._listeners = listeners
        self._paused = paused
        self._watched = watched
        self._showing = showing
        # Whether the episode under way is shown live.
        self._is_live = False
        self._next_step_at = 0.0
        self._next_heartbeat_at = time.monotonic() + HEARTBEAT
        self._ending: Ending | None = None

    def run(self) -> RunResult:
        """Train, and return how the run ended; it is saved by then."""
        for listener in self._listeners:
            listener.on_start(self._managed)
        if self._paused:
            self._tell_paused()
        if self._managed.run.episode_step > 0:
            self._begin_episode()
        try:
            while not self._is_over():
                self._step()
        except DivergedError as error:
            result = self._end("failed", str(error))
        else:
            result = self._end(self._ending or "complete")
        return result

    def _step(self) -> None:
        managed = self._managed
        if managed.run.episode_step == 0:
            self._begin_episode()
        outcome, completed = managed.step()
        for listener in self._listeners:
            listener.on_step(outcome, watched=self._is_live and self._watched)
        for complete in completed:
            for listener in self._listeners:
                listener.on_episode(complete)
        if managed.save_due:
            self._autosave()
        if self._is_live:
            self._wait()

    def _begin_episode(self) -> None:
        run, showing = self._managed.run, self._showing
        self._is_live = run.is_shown and (showing is None or showing.show == "live")
        if self._is_live:
            self._next_step_at = time.monotonic()
            for listener in self._listeners:
                listener.on_episode_start(run.shown_episode, run.epsilon)

    def _end(self, how: Ending, reason: str | None = None) -> RunResult:
        for listener in self._listeners:
            listener.on_saving()
        result = self._managed.end(how, reason)
        for listener in self._listeners:
            if result.saved is not None:
                listener.on_save(result.saved)
            listener.on_end(result)
        return result

    def _autosave(self) -> None:
        for listener in self._listeners:
            listener.on_saving()
        try:
            saved = self._managed.save()
        except SaveError as error:
            for listener in self._listeners:
                listener.on_problem(error)
        else:
            for listener in self._listeners:
                listener.on_save(saved)

    # --- orders ----------------------------------------------------------------------------------------

    def _is_over(self) -> bool:
        """Carry out the orders that wait, while paused wait for more, and return whether the run ends now."""
        self._beat()
        while self._ending is None and (self._paused or self._orders.has_order()):
            self._obey_next()
        return self._ending is not None or self._managed.run.finished

    def _wait(self) -> None:
        """Wait between the steps of a shown episode, until deadlines that do not drift, and obey orders.

        A run that is paused meanwhile goes on at once when it is resumed.
        """
        previous = self._next_step_at
        while self._is_live and not self._paused and self._ending is None:
            if (delay := 0.0 if self._showing is None else self._showing.step_delay) == 0:
                return
            # A step that took longer than the delay is no reason for a burst of steps afterwards.
            self._next_step_at = max(previous + delay, time.monotonic())
            if not self._obey_next(self._next_step_at):
                return

    def _obey_next(self, deadline: float = math.inf) -> bool:
        """Wait for the next order and carry it out; returns False if none came until the deadline."""
        while True:
            self._beat()
            try:
                order = self._orders.get(min(deadline, self._next_heartbeat_at))
            except TimeoutError:
                if time.monotonic() >= deadline:
                    return False
            else:
                self._obey(order)
                return True

    def _beat(self) -> None:
        if (now := time.monotonic()) >= self._next_heartbeat_at:
            self._next_heartbeat_at = now + HEARTBEAT
            for listener in self._listeners:
                listener.on_heartbeat()

    def _obey(self, order: Order | None) -> None:
        match order:
            case None:
                self._ending = "interrupted"
            case StopOrder():
                self._ending = "stopped"
            case SyncOrder(watched=watched, recorded=recorded):
                self._watched = watched
                for listener in self._listeners:
                    listener.on_recorded(recorded)
            case PauseOrder():
                self._paused = True
                self._tell_paused()
            case ResumeOrder():
                self._paused = False
                self._next_step_at = time.monotonic()
                for listener in self._listeners:
                    listener.on_resume(*self._managed.run.position)
            case ShowOrder(showing):
                self._show(showing)
            case BeginOrder():
                raise RuntimeError("a trainer begins one run only")

    def _show(self, showing: Showing) -> None:
        self._showing = showing
        self._managed.run.show_every = showing.show_every
        # From showcase to live, the next episode is the first one that is shown live.
        self._is_live = self._is_live and showing.show == "live"
        for listener in self._listeners:
            listener.on_showing(showing)

    def _tell_paused(self) -> None:
        for listener in self._listeners:
            listener.on_pause(*self._managed.run.position)
