"""One inference session: the tasks of one connection, and how they end."""

from typing import TYPE_CHECKING

import trio

from hamlet_trio.common.descriptions import reason_of
from hamlet_trio.connection import AbuseError, CommandStream, Permit, Transport, permit_all
from hamlet_trio.inference.engine_messages import EngineError
from hamlet_trio.inference.message_sender import MessageSender
from hamlet_trio.inference.service import InferenceService
from hamlet_trio.inference.session_queue import SessionQueue
from hamlet_trio.logs import get_logger
from hamlet_trio.protocol.commands import InferenceCommand, inference_commands
from hamlet_trio.protocol.errors import CloseCode
from hamlet_trio.settings import Settings

if TYPE_CHECKING:
    from hamlet_trio.inference.load_queue import SessionEvent


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

    Bounds: `session_command_queue` commands wait, more are refused with `rate_limited`; `LoadQueue` bounds
    the models and recordings that wait, `MessageSender` the messages. When that is full the controller waits
    too: this session slows down, and no other.
    """
    code: CloseCode | None = None
    try:
        async with trio.open_nursery() as nursery:
            commands = CommandStream(transport, inference_commands, settings, permit)
            mailbox: SessionQueue[SessionEvent] = SessionQueue(settings.session_command_queue, service.timers)
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
    mailbox: "SessionQueue[SessionEvent]",
) -> None:
    """Run the session's tasks until one of them fails or all are cancelled."""
    outgoing = MessageSender(transport, service.counters)
    async with trio.open_nursery() as connection:
        # Before anything that waits: a disconnect is noticed only while something receives.
        connection.start_soon(_receive, commands, mailbox)
        connection.start_soon(outgoing.run)
        await service.ready.wait()
        await _play(service, mailbox, outgoing, session_id)


async def _play(
    service: InferenceService, mailbox: "SessionQueue[SessionEvent]", outgoing: MessageSender, session_id: str
) -> None:
    # These import numpy; they are there once the service is ready.
    from hamlet_trio.inference.live_episode import LiveEpisode  # noqa: PLC0415
    from hamlet_trio.inference.load_queue import LoadQueue  # noqa: PLC0415
    from hamlet_trio.inference.replay_player import ReplayPlayer  # noqa: PLC0415
    from hamlet_trio.inference.session_controller import SessionController  # noqa: PLC0415

    # What is lent outlives the tasks that use it.
    with service.engine.slot() as slot, service.policies.lease() as lease:
        errands = LoadQueue(lease, service.archive, mailbox, session_id)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(errands.run)
            live = LiveEpisode(
                engine=service.engine,
                slot=slot,
                model=await lease.take_default(),
                outgoing=outgoing,
                counters=service.counters,
            )
            playhead = SessionController(
                live=live,
                projector=ReplayPlayer(live, service.archive, outgoing),
                lease=lease,
                errands=errands,
                mailbox=mailbox,
                outgoing=outgoing,
                counters=service.counters,
            )
            await playhead.run(session_id, await service.policies.names())


async def _receive(commands: CommandStream[InferenceCommand], mailbox: "SessionQueue[SessionEvent]") -> None:
    while True:
        mailbox.put(await commands.receive())
