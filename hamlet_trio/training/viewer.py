"""One viewer of training: its commands in, the run's messages out."""

from functools import partial

import trio

from hamlet_trio.connection import AbuseError, Closing, CommandStream, Permit, Transport, permit_all
from hamlet_trio.logs import get_logger
from hamlet_trio.protocol.commands import training_commands
from hamlet_trio.protocol.errors import CloseCode
from hamlet_trio.settings import Settings
from hamlet_trio.training.hub import Viewer
from hamlet_trio.training.service import TrainingService


async def serve_viewer(
    service: TrainingService,
    transport: Transport,
    *,
    session_id: str,
    settings: Settings,
    draining: trio.Event,
    permit: Permit = permit_all,
) -> CloseCode | None:
    """Serve a viewer until it leaves (`Cancelled`), or return the code to close its connection with.

    1012 when the server drains, 1008 after persistent abuse of the rate limit, 1013 when it is too slow for
    the run's lifecycle events, 1011 after an error, which is logged with the session's id.
    """
    log = get_logger(session_id=session_id)
    closing = Closing()

    async def receive(viewer: Viewer) -> None:
        commands = CommandStream(transport, training_commands, settings, permit)
        try:
            while True:
                await service.submit(viewer, await commands.receive())
        except AbuseError as error:
            log.warning("viewer_closed_for_abuse", reason=str(error))
            closing.give(CloseCode.POLICY_VIOLATION)

    try:
        with service.joined(session_id) as viewer:
            await viewer.serve(transport, partial(receive, viewer), closing, draining)
    except* Exception as errors:
        log.error("viewer_failed", exc_info=errors)
        closing.give(CloseCode.INTERNAL_ERROR)
    return closing.code
