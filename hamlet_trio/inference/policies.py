"""The policies that sessions play: each file is read once and shared by all who play it."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import trio

from hamlet_trio.agent.models import ModelFolder, ModelNameError
from hamlet_trio.agent.names import NetworkType
from hamlet_trio.logs import get_logger
from hamlet_trio.protocol.errors import BadMessageError, ErrorCode
from hamlet_trio.world import WorldConfig

if TYPE_CHECKING:
    from hamlet_trio.agent.policy import Policy

_IDLE_KEPT: Final = 4
_REFUSALS_KEPT: Final = 1024
_UNTRAINED_SEED: Final = 0
_PLAIN_NAME: Final = re.compile(r"[^/\\:]+\.pt")


class Stamp(NamedTuple):
    """One version of one file: a file that was replaced or written to has another stamp."""

    name: str
    inode: int
    modified_ns: int
    size: int


class LoadedPolicy:
    """A policy in memory. `name` is its file's, None for the untrained one, which has no `stamp` either."""

    def __init__(self, policy: "Policy", stamp: Stamp | None) -> None:
        self.policy = policy
        self.stamp = stamp
        self.name = None if stamp is None else stamp.name
        self.network_type: NetworkType = policy.spec.network_type
        self.users = 0


class PolicyStore:
    """Loads policies for worlds of one configuration, and counts who uses them.

    A file is read and checked in a worker thread, once for each version of it, one file at a time. Bounds:
    what sessions use, and at most four policies that none uses any more, so that a page that reconnects need
    not wait for the disk; of files that were refused, the reasons for the last 1,024.
    """

    def __init__(self, models: ModelFolder, config: WorldConfig) -> None:
        from hamlet_trio.agent.policy import Policy  # noqa: PLC0415 (torch: whoever imports this need not wait)

        self._models = models
        self._config = config
        self._loaded: dict[Stamp, LoadedPolicy] = {}
        self._idle: dict[Stamp, LoadedPolicy] = {}  # the longest idle first
        self._refusals: dict[Stamp, str] = {}  # the oldest first
        self._reading = trio.Lock()
        self._limiter = trio.CapacityLimiter(4)
        untrained = Policy.untrained(_UNTRAINED_SEED, width=config.width, height=config.height)
        self._untrained = LoadedPolicy(untrained, None)

    @property
    def loaded(self) -> int:
        """Files whose policies are in memory, used or idle."""
        return len(self._loaded)

    @property
    def in_use(self) -> int:
        """How many times any policy is held by a session."""
        return sum(policy.users for policy in (*self._loaded.values(), self._untrained))

    @contextmanager
    def lease(self) -> Iterator["PolicyLease"]:
        """What one session takes its policies from; at the end it gives all of them back."""
        lease = PolicyLease(self)
        try:
            yield lease
        finally:
            lease.give_back_all()

    async def names(self) -> list[str]:
        """The models of the folder, as `ModelFolder.names`."""
        return await trio.to_thread.run_sync(self._models.names, limiter=self._limiter)

    async def take(self, name: str) -> LoadedPolicy:
        """The policy of a file, counted as used once more.

        Raises `BadMessageError`, ready to be answered, when the name is none of this folder's files or the
        file is damaged, foreign or made for another world.
        """
        path, stamp = await trio.to_thread.run_sync(self._identify, name, limiter=self._limiter)
        if stamp not in self._loaded:
            async with self._reading:
                if stamp not in self._loaded:
                    await self._read(path, stamp)
        # From here on there is no checkpoint, so that a cancellation can't leave a policy that nobody holds.
        policy = self._loaded[stamp]
        self._idle.pop(stamp, None)
        policy.users += 1
        return policy

    async def take_default(self) -> LoadedPolicy:
        """As `take`: trained_agent.pt, else the newest file that can be used, else an untrained policy."""
        for name in await self.names():
            try:
                return await self.take(name)
            except BadMessageError as error:
                get_logger().info("default_model_skipped", model=name, reason=error.message)
        self._untrained.users += 1
        return self._untrained

    def give_back(self, policy: LoadedPolicy) -> None:
        """Count one use less."""
        policy.users -= 1
        if policy.users == 0 and policy.stamp is not None:
            self._idle[policy.stamp] = policy
            while len(self._idle) > _IDLE_KEPT:
                self._forget(next(iter(self._idle)))

    def _forget(self, stamp: Stamp) -> None:
        del self._idle[stamp], self._loaded[stamp]

    async def _read(self, path: Path, stamp: Stamp) -> None:
        if stamp in self._refusals:
            raise _unusable(self._refusals[stamp])
        try:
            policy = await trio.to_thread.run_sync(_load, path, self._config, limiter=self._limiter)
        except UnusableModelError as error:
            get_logger().warning("model_refused", model=stamp.name, reason=str(error))
            self._refusals[stamp] = str(error)
            if len(self._refusals) > _REFUSALS_KEPT:
                del self._refusals[next(iter(self._refusals))]
            raise _unusable(str(error)) from error
        # Older versions of the file can't be asked for any more.
        for idle in [idle for idle in self._idle if idle.name == stamp.name]:
            self._forget(idle)
        self._loaded[stamp] = LoadedPolicy(policy, stamp)

    def _identify(self, name: str) -> tuple[Path, Stamp]:
        """Which version of which file a name means. In a worker thread."""
        try:
            path = self._models.resolve(name)
            status = path.stat()
        except (ModelNameError, OSError) as error:
            is_absent = _PLAIN_NAME.fullmatch(name) and not os.path.lexists(self._models.path / name)
            code = ErrorCode.UNKNOWN_MODEL if is_absent else ErrorCode.INVALID_MODEL_NAME
            message = str(error) if isinstance(error, ModelNameError) else f"{name} cannot be read."
            raise BadMessageError(code, message, command="load_model", field="model") from error
        return path, Stamp(name, status.st_ino, status.st_mtime_ns, status.st_size)


class PolicyLease:
    """The policies one session holds."""

    def __init__(self, store: PolicyStore) -> None:
        self._store = store
        self._held: list[LoadedPolicy] = []

    async def take(self, name: str) -> LoadedPolicy:
        """As `PolicyStore.take`."""
        policy = await self._store.take(name)
        self._held.append(policy)
        return policy

    async def take_default(self) -> LoadedPolicy:
        """As `PolicyStore.take_default`."""
        policy = await self._store.take_default()
        self._held.append(policy)
        return policy

    def give_back(self, policy: LoadedPolicy) -> None:
        """Hold it once less."""
        self._held.remove(policy)
        self._store.give_back(policy)

    def give_back_all(self) -> None:
        """Hold none any more."""
        for policy in self._held:
            self._store.give_back(policy)
        self._held.clear()


class UnusableModelError(Exception):
    """A file that cannot be played here; the message is a sentence for a person."""


def _load(path: Path, config: WorldConfig) -> "Policy":
    """Read and check a file. In a worker thread."""
    from hamlet_trio.agent.checkpoint import CheckpointError, load_checkpoint  # noqa: PLC0415 (torch)
    from hamlet_trio.agent.metadata import world_shape  # noqa: PLC0415
    from hamlet_trio.agent.policy import Policy  # noqa: PLC0415 (torch)

    try:
        checkpoint = load_checkpoint(path, width=config.width, height=config.height)
    except CheckpointError as error:
        raise UnusableModelError(str(error)) from error
    shape = world_shape(checkpoint.metadata)
    if shape is not None and shape != (config.width, config.height):
        raise UnusableModelError(
            f"{path.name} was trained in a world of {shape[0]} x {shape[1]} cells; "
            f"this server's has {config.width} x {config.height}."
        )
    return Policy.from_checkpoint(checkpoint)


def _unusable(reason: str) -> BadMessageError:
    return BadMessageError(ErrorCode.UNUSABLE_MODEL, reason, command="load_model", field="model")
