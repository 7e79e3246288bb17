"""Register Hamlet's environments with Gymnasium.

Gymnasium 1.0 gave up loading plugins by entry point: packages register their environments when imported.
But gymnasium is an extra here and slow to import, so Hamlet must not import it. Hence its environments are
registered at once if gymnasium is imported already, else right after its import.
"""

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType


def register() -> None:
    """Register Hamlet-v0 and Hamlet-random-v0 with Gymnasium; a second call changes nothing."""
    from gymnasium.envs import registration  # noqa: PLC0415 - gymnasium is an extra

    for name, arguments in (("Hamlet-v0", {}), ("Hamlet-random-v0", {"random_start": True})):
        if name not in registration.registry:
            registration.register(
                id=name,
                entry_point="hamlet_trio.envs.gymnasium_env:HamletEnv",
                vector_entry_point="hamlet_trio.envs.vector_env:HamletVectorEnv",
                max_episode_steps=500,
                kwargs=arguments,
            )


def register_with_gymnasium() -> None:
    """Register Hamlet-v0 now when gymnasium is imported, else as soon as it is."""
    if sys.modules.get("gymnasium") is not None:
        register()
    elif not any(isinstance(finder, _RegisterAfterImport) for finder in sys.meta_path):
        sys.meta_path.insert(0, _RegisterAfterImport())


class _RegisterAfterImport:
    """Find gymnasium as usual, and register the environments when its import is done.

    Not derived from `importlib.abc.MetaPathFinder`, whose import would take longer than the rest of Hamlet's.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname, path, target) if fullname == "gymnasium" else None
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def execute_and_register(module: ModuleType) -> None:
            execute(module)
            register()
            sys.meta_path.remove(self)

        # On this spec's own loader; wrapping it in another would hide the methods that resources are read
        # with.
        setattr(spec.loader, "exec_module", execute_and_register)  # noqa: B010 - a method, for mypy
        return spec
