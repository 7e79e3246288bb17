"""Sessions that outlive their connection: who has which, and what is kept of those that nobody has."""

import math
import secrets
from collections.abc import Callable
from hashlib import sha256
from typing import TYPE_CHECKING, Final, NamedTuple

import trio

from hamlet_trio.logs import get_logger
from hamlet_trio.protocol.errors import BadMessageError, ErrorCode

if TYPE_CHECKING:
    from hamlet_trio.inference.policies import LoadedPolicy
    from hamlet_trio.inference.session_snapshot import SessionSnapshot
    from hamlet_trio.shared import RedisShelf
    from hamlet_trio.shared.redis_shelf import StoredSession

SNAPSHOT_FORM: Final = 1
"""Number of a snapshot's stored form. New fields at a struct's end keep it; other changes take the next."""

_SECRET_BYTES: Final = 16
_NAME_LENGTH: Final = 32
_ID_LENGTH: Final = 8


def new_secret() -> str:
    """Return a text by which a client goes on with its session: 22 characters, 128 random bits."""
    return secrets.token_urlsafe(_SECRET_BYTES)


def session_name(secret: str) -> str:
    """Return the name under which a session is kept: 32 hexadecimal digits of the secret's SHA-256."""
    return sha256(secret.encode()).hexdigest()[:_NAME_LENGTH]


def session_id_of(secret: str) -> str:
    """Return the session's public id: the first eight digits of its name."""
    return session_name(secret)[:_ID_LENGTH]


class Claim(NamedTuple):
    """What goes on: the epoch, raised by the claim, and the snapshot."""

    epoch: int
    data: bytes


class KeptSession:
    """One session while a connection has it.

    Attributes:
        resume: the secret by which the client can go on with it; None where nothing is kept.
        own_name: under which it would be kept without a claim: the client was told its secret.
        name: under which it is kept; another one after a claim.
        owner: the id of the token that its client logged in with, or "".
        epoch: how often it was claimed; whoever has an older one has lost it.
        is_lost: whether another connection has claimed it.
    """

    def __init__(
        self, secret: str, owner: str, lose: Callable[[], None], shelf: "RedisShelf | None", *, keeps: bool
    ) -> None:
        self.resume: Final = secret if keeps else None
        self.own_name: Final = session_name(secret)
        self.name = self.own_name
        self.owner: Final = owner
        self.epoch = 1
        self.is_lost = False
        self._lose = lose
        self._shelf = shelf
        self._take: Callable[[], SessionSnapshot] | None = None
        self._models: Callable[[], list[LoadedPolicy]] = list
        self._frozen: SessionSnapshot | None = None
        self._claimed: bytes | None = None
        self._mark: object = None

    def watch(
        self,
        take: "Callable[[], SessionSnapshot]",
        models: "Callable[[], list[LoadedPolicy]]",
        mark: object,
    ) -> None:
        """Take snapshots by `take` from now on; `models` returns the policies that they name."""
        self._take, self._models, self._mark = take, models, mark

    def freeze(self) -> None:
        """Keep the session as it is now while something longer than a step changes it."""
        if self._take is not None and self._claimed is None:
            self._frozen = self._take()

    def changed(self, mark: object, *, urgent: bool = False) -> None:
        """Note that the session has changed and is whole again; with another `mark` it is written at once."""
        self._frozen = None
        if self._shelf is not None:
            self._shelf.put(self, urgent=urgent or mark != self._mark)
        self._mark = mark

    def adopt(self, name: str, epoch: int, data: bytes) -> None:
        """Become a claimed session. Until `begin`, its snapshot is the one that was claimed."""
        self.name, self.epoch, self._claimed, self._frozen = name, epoch, data, None

    def begin(self) -> None:
        """Note that the claimed session goes on."""
        self._claimed = None

    def lose(self) -> None:
        """End the connection, because another one has the session."""
        if not self.is_lost:
            self.is_lost = True
            self._lose()

    @property
    def session_id(self) -> str:
        """The public id of the session."""
        return self.name[:_ID_LENGTH]

    @property
    def contents(self) -> dict[str, bytes]:
        """The files of its models, where they are kept, by their SHA-256."""
        return _contents(self.models)

    @property
    def models(self) -> "list[LoadedPolicy]":
        """The policies that the snapshot names; none of a claimed one before `begin`."""
        return [] if self._claimed is not None else self._models()

    def encode(self) -> bytes | None:
        """Return the snapshot in its stored form; None while there is nothing to keep."""
        from hamlet_trio.inference.session_snapshot import encode_snapshot  # noqa: PLC0415 (numpy)

        if self._claimed is not None or self._take is None:
            return self._claimed
        return encode_snapshot(self._take() if self._frozen is None else self._frozen)


class _LeftSession:
    """What is left of a session that no connection has: its snapshot, kept here until a time on Trio's clock.

    Its models stay in memory.
    """

    def __init__(self, kept: KeptSession, data: bytes) -> None:
        self.name = kept.name
        self.owner: Final = kept.owner
        self.epoch = kept.epoch
        self.data = data
        self.until = math.inf
        self.is_lost = False
        self._models: Final = kept.models

    @property
    def contents(self) -> dict[str, bytes]:
        """The files of its models that were kept, by their SHA-256."""
        return _contents(self._models)

    def encode(self) -> bytes:
        """Return the snapshot."""
        return self.data

    def lose(self) -> None:
        """Note that another connection has it."""
        self.is_lost = True


def _contents(models: "list[LoadedPolicy]") -> dict[str, bytes]:
    return {model.sha256: model.content for model in models if model.content is not None}


class SessionKeeper:
    """Know which connection of this instance has which session, and keep those that lost theirs.

    For `grace` seconds, so that a reloaded page goes on with its session; the place, the tasks and the world
    are given back at once. With a shelf, the store keeps all of them, for other instances as well.

    Bounds: `capacity` left sessions of a few kilobytes each; with more, the oldest go.
    """

    def __init__(self, *, grace: float, capacity: int) -> None:
        self.shelf: RedisShelf | None = None
        self._grace = grace
        self._capacity = capacity
        self._live: dict[str, KeptSession] = {}
        self._left: dict[str, _LeftSession] = {}  # the oldest first

    @property
    def keeps(self) -> bool:
        """Whether anything is kept."""
        return self._grace > 0 or self.shelf is not None

    @property
    def left(self) -> int:
        """The number of sessions kept here without a connection."""
        self._forget_old()
        return len(self._left)

    def open(self, secret: str, owner: str, lose: Callable[[], None]) -> KeptSession:
        """Begin to keep a connection's session, until `close`.

        `lose` is called, once and from another task, when another connection goes on with it.
        """
        kept = KeptSession(secret, owner, lose, self.shelf, keeps=self.keeps)
        self._live[kept.name] = kept
        return kept

    def close(self, kept: KeptSession) -> None:
        """Keep what is left of a session whose connection has ended."""
        if self._live.get(kept.name) is kept:
            del self._live[kept.name]
        if self.keeps and not kept.is_lost and (data := kept.encode()) is not None:
            self._leave(kept, data)

    def _leave(self, kept: KeptSession, data: bytes) -> None:
        if self.shelf is not None:
            self.shelf.forget(kept)
        self._keep_left(_LeftSession(kept, data))

    def _keep_left(self, left: _LeftSession) -> None:
        """Keep a session that no connection has: in the store, and here for the grace if there is any."""
        if self.shelf is not None:
            self.shelf.put(left, urgent=True, is_left=True)
        if self._grace > 0:
            left.until = trio.current_time() + self._grace
            self._left.pop(left.name, None)
            self._left[left.name] = left
            self._forget_old()
            if len(self._left) > self._capacity:
                del self._left[next(iter(self._left))]

    def _forget_old(self) -> None:
        now = trio.current_time()
        while self._left and self._left[name := next(iter(self._left))].until <= now:
            del self._left[name]

    async def claim(self, secret: str, kept: KeptSession) -> "SessionSnapshot":
        """Let a connection go on with the session of a secret; whoever had it loses it.

        Raises `BadMessageError`: `unknown_session` if it is not kept, or was another login's;
        `store_unavailable`.
        """
        from hamlet_trio.inference.session_snapshot import (  # noqa: PLC0415 (numpy)
            UnreadableSnapshotError,
            decode_snapshot,
        )

        name = session_name(secret)
        here = self._take_local(name, kept)
        try:
            stored = await self._claim_stored(name, kept.owner, here)
        except BaseException:
            if here is not None:
                self._keep_left(here)
            raise
        if here is not None:
            here.lose()  # what the store may still be sent of it is outdated
        if stored is None:
            raise unknown_session()
        try:
            snapshot = decode_snapshot(stored.data)
        except UnreadableSnapshotError as error:
            get_logger().warning("snapshot_refused", session_id=name[:_ID_LENGTH], reason=str(error))
            raise unknown_session() from error
        if self._live.get(kept.name) is kept:
            del self._live[kept.name]
        if (other := self._live.get(name)) is not None:
            other.lose()
        kept.adopt(name, *stored)
        self._live[name] = kept
        return snapshot

    async def fetch_weights(self, digest: str) -> bytes | None:
        """Return a model's file by its SHA-256, if the store has it."""
        return None if self.shelf is None else await self.shelf.fetch_weights(digest)

    def give_back(self, kept: KeptSession) -> None:
        """Undo a claim whose session cannot go on here; a later claim finds it again."""
        del self._live[kept.name]
        if (data := kept.encode()) is not None:
            self._leave(kept, data)
        kept.name, kept.epoch = kept.own_name, 1
        kept.begin()
        self._live[kept.name] = kept

    def _take_local(self, name: str, kept: KeptSession) -> _LeftSession | None:
        """Take a session from the connection of this instance that has it, or from those that were left."""
        self._forget_old()
        if (left := self._left.get(name)) is not None:
            if left.owner != kept.owner:
                raise unknown_session()
            return self._left.pop(name)
        other = self._live.get(name)
        if other is None or not self.keeps:
            return None
        if other is kept or other.owner != kept.owner:
            raise unknown_session()
        if (data := other.encode()) is None:
            return None
        taken = _LeftSession(other, data)
        del self._live[name]
        other.lose()
        return taken

    async def _claim_stored(
        self, name: str, owner: str, here: _LeftSession | None
    ) -> "Claim | StoredSession | None":
        """Return the newest of what this instance has and the store has."""
        mine = None if here is None else Claim(here.epoch + 1, here.data)
        if self.shelf is None:
            return mine
        try:
            stored = await self.shelf.claim(name, owner)
        except BadMessageError:
            if mine is None:
                raise
            return mine
        if mine is None or stored is None:
            return mine or stored
        # The store's epoch is raised by the claim; if others had raised it before, what is here is outdated.
        return stored if stored.epoch > mine.epoch else Claim(stored.epoch, mine.data)


def unknown_session() -> BadMessageError:
    """Return the refusal to go on with a session that is not kept."""
    return BadMessageError(
        ErrorCode.UNKNOWN_SESSION,
        "This session is no longer kept, or never was; the new one on this connection goes on.",
        command="resume_session",
        field="resume",
    )
