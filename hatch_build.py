"""The build hook: every wheel, source archive and editable install comes with the page built.

Node comes from PATH, else as a build requirement from PyPI. Where neither Node nor the network can be had,
the package is built without the page, says so, and the server serves its small page instead.
"""

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).resolve().parent / "frontend"))
import tooling  # beside the page's sources, which the path above names


class PageBuildHook(BuildHookInterface[Any]):
    """Builds frontend/ into hamlet_trio/web/page/ before files are collected."""

    def dependencies(self) -> list[str]:
        """Node, where the page must be built and the machine has none."""
        return [] if tooling.is_up_to_date() or tooling.find_node() else [tooling.NODE_PACKAGE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the page, or say why the package comes without it."""
        try:
            tooling.build()
        except tooling.PageError as error:
            self.app.display_warning(
                f"Built without the page: {error}. The server will serve its small page."
            )
