"""Sessions that others may watch: who plays, how one proves that a session is one's own, and who receives."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeAlias

_PROOF_BYTES: Final = 16

Receive: TypeAlias = Callable[[str, bool], None]
"""Takes the text of a message, and whether it is a frame, which a newer one outdates. Must not wait."""


class SharedSession:
    """One session as those see it who follow it.

    `proof` is told to the session's own client alone; it lets that client show that the session is its own,
    and nothing else.
    """

    def __init__(self, proof: str) -> None:
        self.proof: Final = proof
        self._receive: Receive | None = None
        self._ended: Callable[[], None] | None = None
        self._last: str | Callable[[], str] | None = None

    @property
    def is_followed(self) -> bool:
        """Whether somebody receives what the session sends."""
        return self._receive is not None

    def publish(self, text: str, *, is_frame: bool) -> None:
        """Hand a message of the session on, if somebody receives; never waits."""
        if is_frame:
            self._last = text
        if self._receive is not None:
            self._receive(text, is_frame)

    def publish_frame(self, encode: Callable[[], str]) -> None:
        """Hand a frame on, which is encoded only if somebody receives; never waits."""
        self._last = encode
        if self._receive is not None:
            self._receive(encode(), True)

    @property
    def last_frame(self) -> str | None:
        """The text of the newest frame, if there was one."""
        return self._last() if callable(self._last) else self._last

    def follow(self, receive: Receive | None) -> None:
        """Have one receiver hear of each message from now on, or with None nobody."""
        self._receive = receive

    def on_end(self, ended: Callable[[], None] | None) -> None:
        """Have a function called when the session ends."""
        self._ended = ended

    def end(self) -> None:
        """Tell that the session is over."""
        ended, self._ended, self._receive = self._ended, None, None
        if ended is not None:
            ended()


class SharedSessions:
    """The sessions of one server, by the public id of each."""

    def __init__(self) -> None:
        self._sessions: dict[str, SharedSession] = {}

    @contextmanager
    def share(self, session_id: str) -> Iterator[SharedSession]:
        """Let a session be followed for as long as the context lasts."""
        shared = self._sessions[session_id] = SharedSession(secrets.token_urlsafe(_PROOF_BYTES))
        try:
            yield shared
        finally:
            if self._sessions.get(session_id) is shared:
                del self._sessions[session_id]
            shared.end()

    def find(self, session_id: str, proof: str) -> SharedSession | None:
        """Return the session with this id and proof, None if there is none."""
        shared = self._sessions.get(session_id)
        if shared is None or not secrets.compare_digest(shared.proof.encode(), proof.encode()):
            return None
        return shared
