"""The build hook: everything comes with the page built, and wheels with the kernel and the models too.

Node comes from PATH, else as a build requirement from PyPI. Where neither Node nor the network can be had,
the package is built without the page, says so, and the server serves its small page instead. Without a C
compiler it is built without the kernel, says so, and worlds are stepped by numpy.
"""

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from packaging.tags import sys_tags

ROOT = Path(__file__).resolve().parent
# At the end, so that none of their modules takes the place of another of that name.
sys.path.extend([str(ROOT / "frontend"), str(ROOT / "hamlet_trio" / "world")])
import kernel_build  # noqa: E402 - by itself, because importing the package needs numpy
import tooling  # noqa: E402


class SourcesBuildHook(BuildHookInterface[Any]):
    """Builds frontend/ into hamlet_trio/web/page/, and the kernel, before files are collected."""

    def dependencies(self) -> list[str]:
        """Node, where the page must be built and the machine has none."""
        return [] if tooling.is_up_to_date() or tooling.find_node() else [tooling.NODE_PACKAGE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build both, or say why the package comes without one."""
        try:
            tooling.build()
        except tooling.PageError as error:
            self.app.display_warning(
                f"Built without the page: {error}. The server will serve its small page."
            )
        if self.target_name != "wheel":
            return  # a source archive is for every machine
        if version != "editable" and (ROOT / "models").is_dir():
            # Where hamlet_trio/settings/loading.py looks for them.
            build_data["force_include"][str(ROOT / "models")] = "hamlet_trio/shipped_models"
        try:
            kernel_build.build()
        except kernel_build.KernelError as error:
            self.app.display_warning(
                f"Built without the world's kernel: {error}. Worlds will be stepped by numpy."
            )
            return
        if version != "editable":  # that one finds it in the checkout
            build_data["artifacts"].append(f"/{kernel_build.library().relative_to(ROOT).as_posix()}")
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{_platform()}"


def _platform() -> str:
    """This machine as wheels name it, without a promise about older C libraries, which nobody checked."""
    platforms = (tag.platform for tag in sys_tags())
    return next(name for name in platforms if not name.startswith(("manylinux", "musllinux")))
