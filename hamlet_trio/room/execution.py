"""What each command of a member does."""

from typing import TYPE_CHECKING, assert_never

from hamlet_trio.protocol import room_commands as commands
from hamlet_trio.protocol.room_commands import RoomCommand

if TYPE_CHECKING:
    from hamlet_trio.room.membership import Membership
    from hamlet_trio.room.service import RoomService


def execute(service: "RoomService", membership: "Membership", command: RoomCommand) -> None:
    """Carry out a member's command, which it may give. Raises `BadMessageError` if it cannot be done."""
    match command:
        case commands.Join():
            membership.join(command)
        case commands.Signal():
            membership.room.pass_on(membership.member, command)
        case commands.MoveCursor(at=at):
            service.point(membership, at)
        case commands.Follow(member=followed):
            membership.room.followers.follow(membership.member, followed)
        case commands.SetDirect(member=followed, direct=direct):
            membership.room.followers.set_direct(membership.member, followed, direct=direct)
        case commands.MakeGroups(size=size):
            service.make_groups(membership.room, size)
        case commands.MoveMember(member=moved, room=name):
            service.send_to(membership.room, moved, name)
        case commands.Gather():
            service.gather(membership.room)
        case commands.Spotlight(member=shown):
            membership.room.followers.set_spotlight(shown)
        case commands.Draw() | commands.Erase() | commands.Clear() | commands.SetDrawing():
            _draw(membership, command)
        case _:
            _vote(membership, command)


def _draw(
    membership: "Membership", command: commands.Draw | commands.Erase | commands.Clear | commands.SetDrawing
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
            room.set_drawing(number, allowed=allowed)
        case _:
            assert_never(command)


def _vote(
    membership: "Membership",
    command: commands.Ask | commands.CastVote | commands.CloseVote | commands.SetOutcome,
) -> None:
    match command:
        case commands.Ask():
            membership.room.ask(command)
        case commands.CastVote(choice=choice):
            membership.room.vote(membership.member.number, choice)
        case commands.CloseVote():
            membership.room.close_vote()
        case commands.SetOutcome():
            membership.room.set_outcome(membership.member.number, command)
        case _:
            assert_never(command)
