"""One member of a room: its commands in, the room's messages out."""

from functools import partial
from typing import assert_never

import trio

from hamlet_trio.connection import AbuseError, Closing, CommandStream, Permit, Transport, permit_all
from hamlet_trio.logs import get_logger
from hamlet_trio.protocol import room_commands as commands
from hamlet_trio.protocol.errors import BadMessageError, CloseCode
from hamlet_trio.protocol.room_commands import RoomCommand, room_commands
from hamlet_trio.protocol.room_messages import Moved
from hamlet_trio.room.service import Membership, RoomService
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
        try:
            while True:
                command = await stream.receive()
                try:
                    if isinstance(command, BadMessageError):
                        raise command
                    execute(service, membership, command)
                except BadMessageError as error:
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


def execute(service: RoomService, membership: Membership, command: RoomCommand) -> None:
    """Carry out a member's command, which it may give. Raises `BadMessageError` if it cannot be done."""
    number = membership.member.number
    match command:
        case commands.Join():
            membership.join(command)
        case commands.Signal():
            membership.room.pass_on(membership.member, command)
        case commands.MoveCursor(at=at):
            membership.room.move_cursor(number, at)
            service.note_moved()
        case commands.Follow(member=followed):
            membership.room.follow(membership.member, followed)
        case commands.SetDirect(member=followed, direct=direct):
            membership.room.set_direct(membership.member, followed, direct=direct)
        case commands.MakeGroups(size=size):
            service.make_groups(membership.room, size)
        case commands.MoveMember(member=moved, room=name):
            membership.room.find(moved)[1].tell(Moved(name))
        case commands.Gather():
            service.gather(membership.room)
        case commands.Spotlight(member=shown):
            membership.room.set_spotlight(shown)
        case commands.Draw() | commands.Erase() | commands.Clear() | commands.SetDrawing():
            _draw(membership, command)
        case _:
            _vote(membership, command)


def _draw(
    membership: Membership, command: commands.Draw | commands.Erase | commands.Clear | commands.SetDrawing
) -> None:
    room, number = membership.room, membership.member.number
    match command:
        case commands.Draw():
            room.draw(number, command)
        case commands.Erase(id=stroke):
            room.erase(number, stroke)
        case commands.Clear():
            room.clear()
        case commands.SetDrawing(allowed=allowed):
            room.set_drawing(allowed=allowed)
        case _:
            assert_never(command)


def _vote(membership: Membership, command: commands.Ask | commands.CastVote | commands.CloseVote) -> None:
    match command:
        case commands.Ask():
            membership.room.ask(command)
        case commands.CastVote(choice=choice):
            membership.room.vote(membership.member.number, choice)
        case commands.CloseVote():
            membership.room.close_vote()
        case _:
            assert_never(command)
