"""The policies that sessions play: each file is read once and shared by all sessions that play it."""

from collections.abc import Awaitable, Callable, Hashable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple
from weakref import WeakValueDictionary

import msgspec
import trio

from hamlet_trio.agent.models import ModelFolder, ModelNameError, UnknownModelError
from hamlet_trio.agent.names import NetworkType
from hamlet_trio.common.agents import MAX_AGENTS
from hamlet_trio.common.sizes import MAX_SIDE
from hamlet_trio.logs import get_logger
from hamlet_trio.protocol.errors import BadMessageError, ErrorCode
from hamlet_trio.world import WorldConfig

if TYPE_CHECKING:
    from hamlet_trio.agent.policy import Policy

_IDLE_KEPT: Final = 4
_REFUSALS_KEPT: Final = 1024
_WORLDS_KEPT: Final = 16
_UNTRAINED_SEED: Final = 0


class FileVersion(NamedTuple):
    """One version of one file: replacing or writing to the file gives another."""

    name: str
    inode: int
    modified_ns: int
    size: int


class LoadedPolicy:
    """A policy in memory. `name` and `version` are its file's, None for the untrained policy.

    `config` is the world that it was trained in; the usual one where its file tells of none. `sha256` is the
    digest of its file's content, "" for the untrained policy, and `content` that content where it is kept.
    """

    def __init__(
        self,
        policy: "Policy",
        version: FileVersion | None,
        config: WorldConfig,
        *,
        digest: str = "",
        content: bytes | None = None,
    ) -> None:
        self.sha256: Final = digest
        self.content: Final = content
        self.policy = policy
        self.config = config
        self.version = version
        self.name = None if version is None else version.name
        self.network_type: NetworkType = policy.spec.network_type
        self.users = 0
        self._elsewhere: dict[Hashable, Policy] = {}

    def in_world(self, config: WorldConfig) -> "Policy":
        """Return the policy for a world with other places, which a network of options must know.

        All sessions in worlds that are alike to it share one; the last `_WORLDS_KEPT` are kept.
        """
        seen = self._seen_of(config)
        if seen == self._seen_of(self.config):
            return self.policy
        policy = self._elsewhere.pop(seen, None) or self._made_for(config)
        self._elsewhere[seen] = policy
        if len(self._elsewhere) > _WORLDS_KEPT:
            del self._elsewhere[next(iter(self._elsewhere))]
        return policy

    def fits(self, config: WorldConfig) -> bool:
        """Return whether its network can read a world of this configuration."""
        return self.policy.spec.fits(config)

    def _seen_of(self, config: WorldConfig) -> Hashable:
        """Return what the policy must know of a world."""
        return tuple(sorted((place.code, place.x, place.y) for place in config.affordances))

    def _made_for(self, config: WorldConfig) -> "Policy":
        return self.policy.in_world(config)


class UntrainedPolicy(LoadedPolicy):
    """Random weights, which can be made for a world of any size."""

    def __init__(self) -> None:
        from hamlet_trio.agent.policy import Policy  # noqa: PLC0415 (torch)

        super().__init__(Policy.untrained(_UNTRAINED_SEED), None, WorldConfig())

    def fits(self, config: WorldConfig) -> bool:
        """Return True: one is made for each size."""
        return True

    def _seen_of(self, config: WorldConfig) -> Hashable:
        return config.width, config.height

    def _made_for(self, config: WorldConfig) -> "Policy":
        return type(self.policy).untrained(_UNTRAINED_SEED, width=config.width, height=config.height)


class PolicyStore:
    """Load policies, and count their uses.

    A file is read and checked in a worker thread, once for each version of it, one file at a time. Bounds:
    the policies in use, at most four that no session uses any more, so that a page that reconnects need not
    wait for the disk, and the reasons of the last 1,024 refused files.
    """

    def __init__(self, models: ModelFolder, *, keeps_content: bool = False) -> None:
        """`keeps_content`: whether a policy keeps its file's bytes, for instances that lack that version."""
        self._models = models
        self._keeps_content = keeps_content
        self._loaded: dict[FileVersion, LoadedPolicy] = {}
        self._idle: dict[FileVersion, LoadedPolicy] = {}  # the longest idle first
        self._refusals: dict[FileVersion, str] = {}  # the oldest first
        self._by_content: WeakValueDictionary[tuple[str, str], LoadedPolicy] = WeakValueDictionary()
        self._reading = trio.Lock()
        self._limiter = trio.CapacityLimiter(4)
        self._untrained = UntrainedPolicy()

    @property
    def loaded(self) -> int:
        """The number of files whose policies are in memory, used or idle."""
        return len(self._loaded)

    @contextmanager
    def lease(self) -> Iterator["PolicyLease"]:
        """Lend one session its policies; at the end all of them are released."""
        lease = PolicyLease(self)
        try:
            yield lease
        finally:
            lease.release_all()

    async def names(self) -> list[str]:
        """Return the names of the folder's models, as `ModelFolder.names` does."""
        return await trio.to_thread.run_sync(self._models.names, limiter=self._limiter)

    async def acquire(self, name: str) -> LoadedPolicy:
        """Return the policy of a file, and count one more use.

        Raises `BadMessageError`, ready to be sent, if the folder has no file of that name or the file is
        damaged, not a model, or made for another world.
        """
        path, version = await trio.to_thread.run_sync(self._identify, name, limiter=self._limiter)
        if version not in self._loaded:
            async with self._reading:
                if version not in self._loaded:
                    await self._read(path, version)
        # No checkpoint from here on: a cancellation must not leave a use that no lease holds.
        return self._use(self._loaded[version])

    async def acquire_version(
        self, name: str, digest: str, fetch: Callable[[str], Awaitable[bytes | None]]
    ) -> LoadedPolicy:
        """Acquire the version of a file that has this SHA-256, though the file may hold another by now.

        It is sought in memory, in the folder, and last by `fetch`, whose bytes pass the same checks. Raises
        `BadMessageError` with `unknown_model` if it is nowhere, and as `acquire` does if it is unusable.
        """
        if (held := self._by_content.get((name, digest))) is None:
            try:
                policy = await self.acquire(name)
                if policy.sha256 == digest:
                    return policy
                self.release(policy)
            except BadMessageError as error:
                get_logger().info("model_version_sought", model=name, reason=error.message)
            data = await fetch(digest)
            if data is None or sha256(data).hexdigest() != digest:
                raise BadMessageError(
                    ErrorCode.UNKNOWN_MODEL,
                    f"The version of {name} that the session played is no longer there.",
                    command="resume_session",
                )
            version = FileVersion(name, -1, int(digest[:15], 16), len(data))
            async with self._reading:
                if version not in self._loaded:
                    await self._read(data, version)
            held = self._loaded[version]
        assert held.version is not None  # the untrained policy has no content
        self._loaded.setdefault(held.version, held)
        return self._use(held)

    def _use(self, policy: LoadedPolicy) -> LoadedPolicy:
        assert policy.version is not None
        self._idle.pop(policy.version, None)
        policy.users += 1
        return policy

    async def acquire_default(self) -> LoadedPolicy:
        """Acquire the shipped trained_agent.pt, else the newest shipped one, else an untrained policy."""
        names = await trio.to_thread.run_sync(self._models.default_names, limiter=self._limiter)
        for name in names:
            try:
                policy = await self.acquire(name)
                if policy.config == WorldConfig():
                    return policy
                self.release(policy)  # a session begins in the usual world
            except BadMessageError as error:
                get_logger().info("default_model_skipped", model=name, reason=error.message)
        return self.acquire_untrained()

    def acquire_untrained(self) -> LoadedPolicy:
        """Acquire the untrained policy."""
        self._untrained.users += 1
        return self._untrained

    def release(self, policy: LoadedPolicy) -> None:
        """Count one use fewer."""
        policy.users -= 1
        if policy.users == 0 and policy.version is not None:
            self._idle[policy.version] = policy
            while len(self._idle) > _IDLE_KEPT:
                self._forget(next(iter(self._idle)))

    def _forget(self, version: FileVersion) -> None:
        del self._idle[version], self._loaded[version]

    async def _read(self, file: Path | bytes, version: FileVersion) -> None:
        if version in self._refusals:
            raise _unusable(self._refusals[version])
        try:
            loaded = await trio.to_thread.run_sync(
                _load, file, version, self._keeps_content, limiter=self._limiter
            )
        except UnusableModelError as error:
            get_logger().warning("model_refused", model=version.name, reason=str(error))
            self._refusals[version] = str(error)
            if len(self._refusals) > _REFUSALS_KEPT:
                del self._refusals[next(iter(self._refusals))]
            raise _unusable(str(error)) from error
        # Older versions of the file cannot be asked for any more.
        for idle in [idle for idle in self._idle if idle.name == version.name]:
            self._forget(idle)
        self._loaded[version] = self._by_content[version.name, loaded.sha256] = loaded

    def _identify(self, name: str) -> tuple[Path, FileVersion]:
        """Return the file that a name means, and its version. Runs in a worker thread."""
        try:
            path = self._models.resolve(name)
            status = path.stat()
        except (ModelNameError, OSError) as error:
            is_absent = isinstance(error, UnknownModelError)
            code = ErrorCode.UNKNOWN_MODEL if is_absent else ErrorCode.INVALID_MODEL_NAME
            message = str(error) if isinstance(error, ModelNameError) else f"{name} cannot be read."
            raise BadMessageError(code, message, command="load_model", field="model") from error
        return path, FileVersion(name, status.st_ino, status.st_mtime_ns, status.st_size)


class PolicyLease:
    """The policies one session holds."""

    def __init__(self, store: PolicyStore) -> None:
        self._store = store
        self._held: list[LoadedPolicy] = []

    async def acquire(self, name: str) -> LoadedPolicy:
        """Acquire a policy, as `PolicyStore.acquire` does."""
        policy = await self._store.acquire(name)
        self._held.append(policy)
        return policy

    async def acquire_default(self) -> LoadedPolicy:
        """Acquire the default policy, as `PolicyStore.acquire_default` does."""
        policy = await self._store.acquire_default()
        self._held.append(policy)
        return policy

    async def acquire_version(
        self, name: str, digest: str, fetch: Callable[[str], Awaitable[bytes | None]]
    ) -> LoadedPolicy:
        """Acquire one version of a file, as `PolicyStore.acquire_version` does."""
        policy = await self._store.acquire_version(name, digest, fetch)
        self._held.append(policy)
        return policy

    def acquire_untrained(self) -> LoadedPolicy:
        """Acquire the untrained policy."""
        policy = self._store.acquire_untrained()
        self._held.append(policy)
        return policy

    def release(self, policy: LoadedPolicy) -> None:
        """Release one use of a policy."""
        self._held.remove(policy)
        self._store.release(policy)

    def release_all(self) -> None:
        """Release every policy."""
        for policy in self._held:
            self._store.release(policy)
        self._held.clear()


class UnusableModelError(Exception):
    """A file cannot be played here; the message is a sentence for a person."""


def _load(file: Path | bytes, version: FileVersion, keeps_content: bool) -> LoadedPolicy:
    """Read and check a file, or its bytes; return its policy. Runs in a worker thread."""
    from hamlet_trio.agent.checkpoint import CheckpointError, parse_checkpoint  # noqa: PLC0415 (torch)
    from hamlet_trio.agent.policy import Policy  # noqa: PLC0415 (torch)
    from hamlet_trio.agent.safe_load import read_bytes  # noqa: PLC0415 (torch)

    name = version.name if isinstance(file, bytes) else file.name
    try:
        data = file if isinstance(file, bytes) else read_bytes(file)
        checkpoint = parse_checkpoint(data, name)
    except CheckpointError as error:
        raise UnusableModelError(str(error)) from error
    spec = checkpoint.spec
    if max(spec.width, spec.height) > MAX_SIDE:
        raise UnusableModelError(
            f"{name} was trained in a world of {spec.width} x {spec.height} cells; "
            f"a session takes at most {MAX_SIDE} x {MAX_SIDE}."
        )
    try:
        config = checkpoint.world_config()
    except msgspec.ValidationError:
        get_logger().info("model_world_ignored", model=name)
        config = WorldConfig()
    if (config.width, config.height) != (spec.width, spec.height) or config.num_agents > MAX_AGENTS:
        raise UnusableModelError(
            f"{name} is for a world of {spec.width} x {spec.height} cells, and does not tell which."
        )
    return LoadedPolicy(
        Policy.from_checkpoint(checkpoint),
        version,
        config,
        digest=sha256(data).hexdigest(),
        content=data if keeps_content else None,
    )


def _unusable(reason: str) -> BadMessageError:
    return BadMessageError(ErrorCode.UNUSABLE_MODEL, reason, command="load_model", field="model")
