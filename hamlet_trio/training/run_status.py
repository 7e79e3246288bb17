"""The state of training as everyone is told it."""

from typing import Final

from hamlet_trio.logs import Logger
from hamlet_trio.protocol.messages import TrainingMessage, TrainingState, TrainingStatus
from hamlet_trio.training.hub import Hub
from hamlet_trio.training.run_metrics import RunProgress


class RunStatus:
    """Holds the state and tells every viewer of each change.

    `run` is the current run or, between runs, the last one; `resumable` the interrupted runs as of the end of
    the last run.
    """

    def __init__(self, hub: Hub, log: Logger) -> None:
        self.hub: Final = hub
        self.run: RunProgress | None = None
        self.resumable: list[str] = []
        self._log = log
        self._state: TrainingState = "idle"
        self._reason: str | None = None

    @property
    def state(self) -> TrainingState:
        """The state, as lifetimes.md draws it."""
        return self._state

    @property
    def is_training(self) -> bool:
        """Whether a run is on, in whatever state."""
        return self._state not in ("idle", "failed")

    def status(self) -> TrainingStatus:
        """The state as a message."""
        run = self.run
        return TrainingStatus(
            is_training=self.is_training,
            current_episode=run.episode if run else 0,
            total_episodes=run.parameters.num_episodes if run else 0,
            state=self._state,
            parameters=run.parameters if run else None,
            viewers=len(self.hub),
            run_id=run.run_id if run else None,
            reason=self._reason,
            resumable=[
                name for name in self.resumable if not (run and self.is_training and name == run.run_id)
            ],
        )

    def enter(self, state: TrainingState, reason: str | None = None) -> None:
        """Change the state and tell everyone."""
        self._state = state
        self._reason = reason
        self._log.info("training state", state=state, reason=reason, run_id=self.run and self.run.run_id)
        self.hub.broadcast(self.status())

    def announce(self, message: TrainingMessage) -> None:
        """Tell everyone what happened in the run."""
        self.hub.broadcast(message)
