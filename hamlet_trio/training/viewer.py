"""One viewer of training: its commands in, the run's messages out."""

import trio

from hamlet_trio.connection import AbuseError, CommandStream, Permit, Transport, permit_all
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
    codes: list[CloseCode] = []

    def close(code: CloseCode) -> None:
        codes.append(code)
        nursery.cancel_scope.cancel()

    async def receive(viewer: Viewer) -> None:
        commands = CommandStream(transport, training_commands, settings, permit)
        try:
            while True:
                await service.submit(viewer, await commands.receive())
        except AbuseError as error:
            log.warning("viewer_closed_for_abuse", reason=str(error))
            close(CloseCode.POLICY_VIOLATION)

    async def send(viewer: Viewer) -> None:
        while True:
            for text in viewer.texts(await viewer.queue.get()):
                if not transport.send_nowait(text):
                    await transport.send(text)

    async def close_when(event: trio.Event, code: CloseCode) -> None:
        await event.wait()
        close(code)

    try:
        with service.joined(session_id) as viewer:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(receive, viewer)
                nursery.start_soon(send, viewer)
                nursery.start_soon(close_when, draining, CloseCode.SERVICE_RESTART)
                nursery.start_soon(close_when, viewer.too_slow, CloseCode.TRY_AGAIN_LATER)
    except* Exception as errors:
        log.error("viewer_failed", exc_info=errors)
        codes.append(CloseCode.INTERNAL_ERROR)
    return codes[0] if codes else None
