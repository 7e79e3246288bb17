"""The broadcast of a run to its viewers: nobody waits for anybody else."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from msgspec import Struct

from hamlet_trio.connection import MessageQueue, Subscriber
from hamlet_trio.protocol.compact import BroadcastBase, BroadcastCompactor, BroadcastFrame
from hamlet_trio.protocol.messages import FrameForm, TrainingMessage, TrainingView, encode


class Viewer(Subscriber):
    """One viewer of the run. Made and forgotten by `Hub.joined`.

    `frames` is the form in which it is sent frames.
    """

    def __init__(self, session_id: str, queue: MessageQueue[str]) -> None:
        super().__init__(session_id, queue)
        self.frames: FrameForm = "full"
        self._base: BroadcastBase | None = None  # the last one that was sent

    def texts(self, queued: str) -> tuple[str, ...]:
        """Return what to send of a queued message or frame: a compact one after its base, if that is missing.

        So whichever frames were dropped, those that are sent can be read.
        """
        if self.frames == "full" or not isinstance(queued, BroadcastFrame):
            return (queued,)
        has_base, self._base = queued.base is self._base, queued.base
        if queued.compact is None:
            return (queued.base.text,)
        return (queued.compact,) if has_base else (queued.base.text, queued.compact)


class Relay(Protocol):
    """Where else everything is told: to the other instances, if this one trains."""

    def tell_event(self, text: str) -> None:
        """Tell a lifecycle message."""
        ...

    def tell_frame(self, text: str) -> None:
        """Tell a frame."""
        ...

    def set_viewers(self, number: int) -> None:
        """Tell how many viewers are here."""
        ...


class HubStatistics(Struct, frozen=True):
    """Counts since the start: frames queued for viewers and dropped, viewers found too slow."""

    viewers: int
    frames: int
    frames_dropped: int
    viewers_dropped: int


class Hub:
    """Broadcast to every viewer, and through a `relay` to those of other instances.

    Texts are encoded once and shared by all queues. Memory a viewer: `max_events` + `max_frames`
    references. `on_watched` is called with True when the first viewer joins, here or elsewhere, and False
    when the last one leaves.
    """

    def __init__(
        self,
        *,
        max_events: int,
        max_frames: int,
        on_watched: Callable[[bool], None],
        relay: Relay | None = None,
    ) -> None:
        self._max_events = max_events
        self._max_frames = max_frames
        self._on_watched = on_watched
        self._relay = relay
        self._elsewhere = 0
        self._viewers: set[Viewer] = set()
        self._frames = 0
        self._frames_dropped_before = 0
        self._viewers_dropped = 0
        self._compactor: BroadcastCompactor | None = None

    def __len__(self) -> int:
        return len(self._viewers)

    @property
    def viewers(self) -> int:
        """The number of viewers, with those of other instances."""
        return len(self) + self._elsewhere

    def set_elsewhere(self, number: int) -> None:
        """Take note of how many viewers the other instances have."""
        before, self._elsewhere = self.viewers, number
        self._note_watched(before)

    def _note_watched(self, before: int) -> None:
        if (before > 0) != (self.viewers > 0):
            self._on_watched(self.viewers > 0)

    def _count(self, before: int) -> None:
        if self._relay is not None:
            self._relay.set_viewers(len(self))
        self._note_watched(before)

    @contextmanager
    def joined(self, session_id: str) -> Iterator[Viewer]:
        """Add a viewer for as long as the context lasts."""
        viewer = Viewer(
            session_id, MessageQueue[str](max_kept=self._max_events, max_droppable=self._max_frames)
        )
        before = self.viewers
        self._viewers.add(viewer)
        self._count(before)
        try:
            yield viewer
        finally:
            before = self.viewers
            self._viewers.discard(viewer)
            self._choose_forms()
            self._frames_dropped_before += viewer.queue.statistics().dropped
            self._viewers_dropped += viewer.too_slow.is_set()
            self._count(before)

    def broadcast(self, message: TrainingMessage) -> None:
        """Queue a lifecycle message for every viewer."""
        self.broadcast_event(encode(message))

    def broadcast_event(self, text: str) -> None:
        """Queue the text of a lifecycle message for every viewer; never waits."""
        for viewer in self._viewers:
            viewer.put_event(text)
        if self._relay is not None:
            self._relay.tell_event(text)

    def broadcast_progress(self, message: TrainingMessage) -> None:
        """Queue a message for every viewer of what a later one tells again.

        Other instances are told it like a frame: one that waits for Redis gives way to newer ones.
        """
        text = encode(message)
        for viewer in self._viewers:
            viewer.put_event(text)
        if self._relay is not None:
            self._relay.tell_frame(text)

    def broadcast_frame(self, text: str) -> None:
        """Queue a frame, given by its full text, for every viewer; never waits."""
        self._frames += len(self._viewers)
        frame = text if self._compactor is None else self._compactor.encode(text)
        for viewer in self._viewers:
            viewer.put_frame(frame)
        if self._relay is not None and self._elsewhere > 0:
            self._relay.tell_frame(text)

    def show(self, viewer: Viewer, form: FrameForm) -> None:
        """Send a viewer its frames in this form from the next one on that it takes, and tell it so."""
        viewer.frames = form
        self._choose_forms()
        viewer.tell(TrainingView(form))

    def _choose_forms(self) -> None:
        """Make compact frames as long as somebody wants them."""
        wanted = any(viewer.frames == "compact" for viewer in self._viewers)
        if not wanted:
            self._compactor = None
        elif self._compactor is None:
            self._compactor = BroadcastCompactor()

    def statistics(self) -> HubStatistics:
        """Return counts for the metrics."""
        dropped = sum(viewer.queue.statistics().dropped for viewer in self._viewers)
        return HubStatistics(
            viewers=len(self._viewers),
            frames=self._frames,
            frames_dropped=self._frames_dropped_before + dropped,
            viewers_dropped=self._viewers_dropped,
        )
