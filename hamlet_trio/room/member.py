"""One member of a room: its commands in, the room's messages out."""

from functools import partial

import trio

from hamlet_trio.connection import AbuseError, Closing, CommandStream, Permit, Transport, permit_all
from hamlet_trio.logs import get_logger
from hamlet_trio.protocol import room_commands as commands
from hamlet_trio.protocol.errors import BadMessageError, CloseCode
from hamlet_trio.protocol.room_commands import name_of, room_commands
from hamlet_trio.room.membership import Membership
from hamlet_trio.room.service import RoomService
from hamlet_trio.settings import Settings


async def serve_member(
    service: RoomService,
    transport: Transport,
    *,
    session_id: str,
    settings: Settings,
    draining: trio.Event,
    permit: Permit = permit_all,
) -> CloseCode | None:
    """Serve a member until it leaves (`Cancelled`), or return the code to close its connection with.

    1012 when the server drains, 1008 after persistent abuse of the rate limit, 1013 when it is too slow for
    what is drawn and voted, 1011 after an error, which is logged with the session's id.
    """
    log = get_logger(session_id=session_id)
    closing = Closing()

    async def receive(membership: Membership) -> None:
        stream = CommandStream(transport, room_commands, settings, permit)
        stream.carry_out_with(partial(service.carry_out_nowait, membership), service.pointing)
        try:
            while True:
                command = await stream.receive()
                try:
                    if isinstance(command, BadMessageError):
                        raise command
                    await service.carry_out(membership, command)
                except BadMessageError as error:
                    if not isinstance(command, BadMessageError):
                        error.command = name_of(command)
                    membership.subscriber.tell(error.as_message())
        except AbuseError as error:
            log.warning("member_closed_for_abuse", reason=str(error))
            closing.give(CloseCode.POLICY_VIOLATION)

    try:
        teacher = permit(commands.Clear()) is None
        with service.joined(session_id, teacher=teacher) as membership:
            await membership.subscriber.serve(transport, partial(receive, membership), closing, draining)
    except* Exception as errors:
        log.error("member_failed", exc_info=errors)
        closing.give(CloseCode.INTERNAL_ERROR)
    return closing.code
