"""What one task waits for until another one wakes it, thousands of times a second."""

import trio


class Awaited:
    """Something that one task waits for, with the bare primitive beneath trio.Event.

    `task` is that task; it is None before `wait`, and once the task was woken or cancelled.
    """

    __slots__ = ("task",)

    def __init__(self) -> None:
        self.task: trio.lowlevel.Task | None = None

    async def wait(self) -> None:
        """Wait for `wake`."""
        self.task = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(self._abandon)

    def wake(self) -> None:
        """Let the task continue, if one still waits."""
        if self.task is not None:
            task, self.task = self.task, None
            trio.lowlevel.reschedule(task)

    def _abandon(self, _: object) -> trio.lowlevel.Abort:
        self.task = None
        return trio.lowlevel.Abort.SUCCEEDED
