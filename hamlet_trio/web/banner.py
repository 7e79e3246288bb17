"""Format the start banner: where everything is."""

from pathlib import Path
from typing import Final

from hamlet_trio import __version__
from hamlet_trio.common.text import readable
from hamlet_trio.settings import Settings

_EVERYWHERE: Final = {"0.0.0.0": "localhost", "::": "localhost"}  # noqa: S104  # recognised, not bound


def make_banner(settings: Settings, port: int) -> str:
    """Return the banner's lines; `port` is the one that was opened."""
    host = _EVERYWHERE.get(settings.host, settings.host)
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    place = f"{host}:{port}"
    models = readable(Path(settings.models_dir).resolve())
    return "\n".join(
        [
            "",
            f"  Hamlet Metaserver {__version__}",
            "",
            f"  Page       http://{place}/",
            f"  Inference  ws://{place}/ws",
            f"  Training   ws://{place}/ws/training",
            f"  Models     http://{place}/api/models   (from {models})",
            "",
            "  Ctrl-C ends it; a training run is saved first.",
            "",
        ]
    )
