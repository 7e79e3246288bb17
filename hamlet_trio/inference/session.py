"""One inference session: the tasks of one connection, and how they end."""

from typing import TYPE_CHECKING

import trio

from hamlet_trio.common.descriptions import reason_of
from hamlet_trio.connection import AbuseError, CommandStream, Permit, Transport, permit_all
from hamlet_trio.inference.errors import EngineError
from hamlet_trio.inference.fair_share import Share
from hamlet_trio.inference.message_sender import MessageSender
from hamlet_trio.inference.service import InferenceService
from hamlet_trio.inference.session_keeper import KeptSession, new_secret
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
    settings: Settings,
    draining: trio.Event,
    permit: Permit = permit_all,
    secret: str | None = None,
    owner: str = "",
) -> CloseCode | None:
    """Play for one client, within `service.admit()`, until the session ends; return the close code.

    A disconnect is a cancellation from outside, which is passed on. The server's draining, persistent abuse,
    another connection that goes on with the session, and an internal error, which is logged here, each return
    their code; the caller closes the connection.

    By `secret`, which is a new one by default, the client can go on with the session on another connection
    that has the same `owner`.

    Bounds: `session_command_queue` commands wait, more are refused with `rate_limited`; `LoadQueue` bounds
    the models and recordings that wait, `MessageSender` the messages. While those are not read, the session
    controller waits: this session slows down, and no other.
    """
    code: CloseCode | None = None
    scope = trio.CancelScope()

    def lose() -> None:
        nonlocal code
        code = CloseCode.SESSION_TAKEN
        scope.cancel()

    kept = service.keeper.open(secret or new_secret(), owner, lose)
    try:
        with scope:
            async with trio.open_nursery() as nursery:
                commands = CommandStream(transport, inference_commands, settings, permit)
                queue: SessionQueue[SessionEvent] = SessionQueue(
                    settings.session_command_queue, service.timers
                )
                nursery.start_soon(_serve, service, transport, kept, commands, queue)
                await draining.wait()
                code = CloseCode.SERVICE_RESTART
                nursery.cancel_scope.cancel()
    except* AbuseError:
        code = CloseCode.POLICY_VIOLATION
        get_logger().warning("session_abuse", session_id=kept.session_id)
    except* EngineError as errors:
        # The engine has logged the cause, once for all sessions that it ends.
        code = CloseCode.INTERNAL_ERROR
        service.counters.failed_sessions += 1
        get_logger().error("session_failed", session_id=kept.session_id, reason=reason_of(errors))
    except* Exception:
        code = CloseCode.INTERNAL_ERROR
        service.counters.failed_sessions += 1
        get_logger().exception("session_failed", session_id=kept.session_id)
    finally:
        service.keeper.close(kept)
    return code


async def _serve(
    service: InferenceService,
    transport: Transport,
    kept: KeptSession,
    commands: CommandStream[InferenceCommand],
    queue: "SessionQueue[SessionEvent]",
) -> None:
    """Run the session's tasks until one of them fails or all are cancelled."""
    with service.shared.share(kept.session_id) as shared:
        async with trio.open_nursery() as connection:
            sender = MessageSender(transport, service.counters, shared, connection)
            # Before anything that waits: a disconnect is noticed only while a task receives.
            connection.start_soon(_receive, commands, queue)
            await service.ready.wait()
            await _play(service, queue, sender, kept)


async def _play(
    service: InferenceService, queue: "SessionQueue[SessionEvent]", sender: MessageSender, kept: KeptSession
) -> None:
    # These import numpy, which is loaded once the service is ready.
    from hamlet_trio.inference.load_queue import LoadQueue  # noqa: PLC0415
    from hamlet_trio.inference.policy_mapper import PolicyMapper  # noqa: PLC0415
    from hamlet_trio.inference.replay_player import ReplayPlayer  # noqa: PLC0415
    from hamlet_trio.inference.resumable_episode import ResumableEpisode  # noqa: PLC0415
    from hamlet_trio.inference.session_claim import SessionClaims  # noqa: PLC0415
    from hamlet_trio.inference.session_controller import SessionController  # noqa: PLC0415

    # The slot and the policies outlive the tasks that use them.
    share = Share()
    with (
        service.engine.slot() as slot,
        service.policies.lease() as lease,
        service.class_board.seat() as seat,
    ):
        claims = SessionClaims(service.keeper, kept, lease, service.recordings, share)
        async with trio.open_nursery() as nursery:
            loads = LoadQueue(
                lease,
                service.recordings,
                service.worlds,
                results=queue,
                kept=kept,
                share=share,
                claims=claims,
                nursery=nursery,
            )
            maps = PolicyMapper(service.engine, sender, nursery)
            episode = ResumableEpisode(
                engine=service.engine,
                slot=slot,
                model=await lease.acquire_default(),
                sender=sender,
                counters=service.counters,
            )
            controller = SessionController(
                episode=episode,
                replay=ReplayPlayer(episode, service.recordings, sender, share),
                lease=lease,
                loads=loads,
                queue=queue,
                sender=sender,
                maps=maps,
                counters=service.counters,
                work=service.work,
                share=share,
                kept=kept,
                claims=claims,
                seat=seat,
            )
            await controller.run(await service.policies.names())


async def _receive(commands: CommandStream[InferenceCommand], queue: "SessionQueue[SessionEvent]") -> None:
    while True:
        queue.put(await commands.receive())
