"""Sessions that others may watch: who plays, how one proves that a session is one's own, and who receives."""

import hashlib
import secrets
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Final, TypeAlias

_PROOF_BYTES: Final = 16

Receive: TypeAlias = Callable[[str, bool], None]
"""Takes the text of a message, and whether it is a frame, which a newer one outdates. Must not wait."""


class SharedSession:
    """One session as those see it who follow it.

    Attributes:
        proof: told to the session's own client alone; it lets that client show that the session is its own,
            and nothing else.
        is_over: whether the session has ended.
    """

    def __init__(self, proof: str) -> None:
        self.proof: Final = proof
        self.is_over = False
        self._receivers: dict[Hashable, Receive] = {}
        self._ended: dict[Hashable, Callable[[], None]] = {}
        self._last: str | Callable[[], str] | None = None

    @property
    def is_followed(self) -> bool:
        """Whether somebody receives what the session sends."""
        return bool(self._receivers)

    def publish(self, text: str, *, is_frame: bool) -> None:
        """Hand a message of the session on to those who receive; never waits."""
        if is_frame:
            self._last = text
        for receive in self._receivers.values():
            receive(text, is_frame)

    def publish_frame(self, encode: Callable[[], str]) -> None:
        """Hand a frame on, which is encoded only if somebody receives; never waits."""
        self._last = encode
        if self._receivers:
            self.publish(encode(), is_frame=True)

    @property
    def last_frame(self) -> str | None:
        """The text of the newest frame, if there was one."""
        return self._last() if callable(self._last) else self._last

    def follow(self, key: Hashable, receive: Receive | None) -> None:
        """Have the receiver of this key hear of each message from now on, or with None no more."""
        if receive is None:
            self._receivers.pop(key, None)
        else:
            self._receivers[key] = receive

    def on_end(self, key: Hashable, ended: Callable[[], None] | None) -> None:
        """Have the function of this key called when the session ends, or with None no more."""
        if ended is None:
            self._ended.pop(key, None)
        else:
            self._ended[key] = ended

    def end(self) -> None:
        """Tell that the session is over."""
        self.is_over = True
        ended = list(self._ended.values())
        self._ended.clear()
        self._receivers.clear()
        for tell in ended:
            tell()


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

    def __contains__(self, session_id: object) -> bool:
        """Return whether there is a session with this id here."""
        return session_id in self._sessions

    def find(self, session_id: str, proof: str) -> SharedSession | None:
        """Return the session with this id and proof, None if there is none."""
        return self.find_hashed(session_id, hash_of(proof))

    def find_hashed(self, session_id: str, proof_hash: str) -> SharedSession | None:
        """Return the session with this id whose proof has this `hash_of`, None if there is none."""
        shared = self._sessions.get(session_id)
        if shared is None or not secrets.compare_digest(hash_of(shared.proof), proof_hash):
            return None
        return shared


def hash_of(proof: str) -> str:
    """Return by what other instances check a proof, which they cannot have from it."""
    return hashlib.sha256(proof.encode()).hexdigest()
