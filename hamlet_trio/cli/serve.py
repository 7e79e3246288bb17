"""Implement `hamlet serve`, which runs the metaserver."""

import gc
from typing import Annotated, Final

import typer

from hamlet_trio.settings import load_settings

_OBJECTS_OF_START: Final = 200_000
"""New objects that trigger a collection of garbage during the start: nearly all that is imported stays, and
looking for garbage among it again and again takes a tenth of the time. Once all is imported,
`tune_garbage_collector` sets the threshold that holds from then on."""


def serve(
    *,
    host: Annotated[str | None, typer.Option(help="Address to listen on [HAMLET_HOST].")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on [HAMLET_PORT].")] = None,
    models_dir: Annotated[
        str | None, typer.Option(help="Folder of the models to watch [HAMLET_MODELS_DIR].")
    ] = None,
    data_dir: Annotated[
        str | None, typer.Option(help="Folder of what runs need to resume [HAMLET_DATA_DIR].")
    ] = None,
    profile: Annotated[str | None, typer.Option(help="development or production [HAMLET_PROFILE].")] = None,
    banner: Annotated[bool, typer.Option(help="Print at the start where to connect.")] = True,
) -> None:
    """Serve watching and training on one port, until Ctrl-C or SIGTERM.

    Every setting has an environment variable, HAMLET_PORT for example; the documentation lists them.
    """
    gc.set_threshold(_OBJECTS_OF_START)
    settings = load_settings(host=host, port=port, models_dir=models_dir, data_dir=data_dir, profile=profile)
    from hamlet_trio.web.serve import main

    raise typer.Exit(main(settings, banner=banner))
