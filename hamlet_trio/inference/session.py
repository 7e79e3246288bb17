"""One inference session: the tasks of one connection, and how they end."""

from typing import TYPE_CHECKING

import trio

from hamlet_trio.connection import AbuseError, CommandStream, Permit, Transport, permit_all
from hamlet_trio.inference.mailbox import Mailbox
from hamlet_trio.inference.moment import EngineError
from hamlet_trio.inference.outgoing import Outgoing
from hamlet_trio.inference.service import InferenceService
from hamlet_trio.logs import get_logger
from hamlet_trio.protocol.commands import InferenceCommand, inference_commands
from hamlet_trio.protocol.errors import CloseCode
from hamlet_trio.settings import Settings
from hamlet_trio.wording import reason_of

if TYPE_CHECKING:
    from hamlet_trio.inference.errands import Mail


async def serve_session(
    service: InferenceService,
    transport: Transport,
    *,
    session_id: str,
    settings: Settings,
    draining: trio.Event,
    permit: Permit = permit_all,
) -> CloseCode | None:
    """Play for one client, within `service.admit()`, until there is reason to close; returns the close code.

    A disconnect is a cancellation from outside, and passes through. The server's draining, persistent abuse
    and an error of our own, which is logged here, each return their code; closing is the caller's.

    Bounds: `session_command_queue` commands wait, more are refused with `rate_limited`; `Errands` bounds the
    models and recordings that wait, `Outgoing` the messages; when it is full the playhead waits too: this
    session slows down, and no other.
    """
    code: CloseCode | None = None
    try:
        async with trio.open_nursery() as nursery:
            commands = CommandStream(transport, inference_commands, settings, permit)
            mailbox: Mailbox[Mail] = Mailbox(settings.session_command_queue, service.timers)
            nursery.start_soon(_serve, service, transport, session_id, commands, mailbox)
            await draining.wait()
            code = CloseCode.SERVICE_RESTART
            nursery.cancel_scope.cancel()
    except* AbuseError:
        code = CloseCode.POLICY_VIOLATION
        get_logger().warning("session_abuse", session_id=session_id)
    except* EngineError as errors:
        # The engine has logged the cause, once for all sessions that it ends.
        code = CloseCode.INTERNAL_ERROR
        service.counters.failed_sessions += 1
        get_logger().error("session_failed", session_id=session_id, reason=reason_of(errors))
    except* Exception:
        code = CloseCode.INTERNAL_ERROR
        service.counters.failed_sessions += 1
        get_logger().exception("session_failed", session_id=session_id)
    return code


async def _serve(
    service: InferenceService,
    transport: Transport,
    session_id: str,
    commands: CommandStream[InferenceCommand],
    mailbox: "Mailbox[Mail]",
) -> None:
    """Run the session's tasks until one of them fails or all are cancelled."""
    outgoing = Outgoing(transport, service.counters)
    async with trio.open_nursery() as connection:
        # Before anything that waits: a disconnect is noticed only while something receives.
        connection.start_soon(_receive, commands, mailbox)
        connection.start_soon(outgoing.run)
        await service.ready.wait()
        await _play(service, mailbox, outgoing, session_id)


async def _play(
    service: InferenceService, mailbox: "Mailbox[Mail]", outgoing: Outgoing, session_id: str
) -> None:
    # These import numpy; they are there once the service is ready.
    from hamlet_trio.inference.errands import Errands  # noqa: PLC0415
    from hamlet_trio.inference.live import Live  # noqa: PLC0415
    from hamlet_trio.inference.playhead import Playhead  # noqa: PLC0415
    from hamlet_trio.inference.projector import Projector  # noqa: PLC0415

    # What is lent outlives the tasks that use it.
    with service.engine.slot() as slot, service.policies.lease() as lease:
        errands = Errands(lease, service.archive, mailbox, session_id)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(errands.run)
            live = Live(
                engine=service.engine,
                slot=slot,
                model=await lease.take_default(),
                outgoing=outgoing,
                counters=service.counters,
            )
            playhead = Playhead(
                live=live,
                projector=Projector(live, service.archive, outgoing),
                lease=lease,
                errands=errands,
                mailbox=mailbox,
                outgoing=outgoing,
                counters=service.counters,
            )
            await playhead.run(session_id, await service.policies.names())


async def _receive(commands: CommandStream[InferenceCommand], mailbox: "Mailbox[Mail]") -> None:
    while True:
        mailbox.put(await commands.receive())
