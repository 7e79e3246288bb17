"""The class leaderboard: who gets which name, and which lives count."""

from contextlib import ExitStack

from trio.testing import MockClock

from hamlet_trio.inference import InferenceService
from hamlet_trio.inference.class_board import CAPACITY, ClassBoard
from hamlet_trio.protocol.class_player import ClassPlayer
from hamlet_trio.protocol.messages import (
    ClassJoined,
    EpisodeEnd,
    EpisodeStart,
    Playback,
    StateUpdate,
    WorldSet,
)
from tests.inference.support import DOWN, Client, episode_length, greeted, real_time_limit

LIFE = episode_length(DOWN)


async def join(client: Client) -> ClassPlayer:
    """Join the class; return who the client is."""
    client.say("join_class")
    return (await client.expect(ClassJoined)).player


async def live(client: Client, steps: int = LIFE) -> EpisodeEnd:
    """Lead a life to its end, from wherever it is."""
    for _ in range(steps):
        client.say("act", action=DOWN)
    while (end := await client.skip_to(EpisodeEnd)).reason == "reset":
        pass
    return end


async def test_a_life_that_a_person_led_counts(client: Client, service: InferenceService) -> None:
    me = await join(client)
    assert (me.steps, me.lives) == (0, 0)
    await client.ask("take_control")
    end = await live(client)
    board = service.class_board
    assert board.standings() == [ClassPlayer(me.animal, me.colour, end.steps, end.total_reward, 1)]
    await live(client)
    assert board.standings()[0].lives == 2
    assert await join(client) == board.standings()[0]
    assert board.here == 1


async def test_no_other_life_counts(client: Client, service: InferenceService) -> None:
    await client.ask("take_control")
    await live(client)  # before it joined
    await join(client)
    # The policy made a step.
    await client.ask("release_control")
    client.say("reset")
    await client.expect(EpisodeStart)
    await client.expect(StateUpdate)
    await client.step()
    await client.ask("take_control")
    await live(client)
    # It began elsewhere.
    client.say("set_start", cell=[0, 0])
    await live(client)
    client.say("set_start")
    # It is another world, and a life that goes on from a step of another one.
    client.say("set_world", world="two-bars")
    await client.skip_to(WorldSet)
    await live(client)
    client.say("set_world", world={})
    await client.skip_to(WorldSet)
    client.say("act", action=DOWN)
    client.say("act", action=DOWN)
    client.say("seek", step=1)
    client.say("take_control")
    await live(client)
    lives = [player.lives for player in service.class_board.standings()]
    assert lives == [0]
    client.say("reset")
    await live(client)
    assert [player.lives for player in service.class_board.standings()] == [1]


async def test_who_goes_on_with_a_session_is_the_same_player(
    service: InferenceService, mock_clock: MockClock
) -> None:
    with real_time_limit():
        async with greeted(service) as first:
            me = await join(first)
            await first.ask("take_control")
        assert service.class_board.here == 0
        async with greeted(service) as second:
            second.say("resume_session", resume=first.connected.resume)
            await second.skip_to(Playback)
            await second.expect(StateUpdate)
            assert await join(second) == me
            await live(second)
            async with greeted(service) as other:
                them = await join(other)
                assert (them.animal, them.colour) != (me.animal, me.colour)
                assert service.class_board.here == 2
        best = service.class_board.standings()
        assert [(player.animal, player.steps > 0) for player in best] == [
            (me.animal, True),
            (them.animal, False),
        ]


async def test_when_the_board_is_full_the_shortest_life_of_who_is_away_gives_its_place() -> None:
    board = ClassBoard()
    with ExitStack() as here:
        seats = [here.enter_context(board.seat()) for _ in range(CAPACITY)]
        names = {(seat.join(str(number)).animal, seat.join("").colour) for number, seat in enumerate(seats)}
        assert len(names) == CAPACITY
        for number, seat in enumerate(seats):
            seat.count(10 + number, 1.0)
        seats[3].leave()
        seats[7].leave()
        newest = here.enter_context(board.seat()).join("new")
        kept = board.standings()
        assert len(kept) == CAPACITY
        assert kept[-1] == newest
        assert 13 not in {player.steps for player in kept}
        assert {10, 17} <= {player.steps for player in kept}
        board.restart()
        assert [player.steps for player in board.standings()] == [0] * (CAPACITY - 1)
    assert board.here == 0
    board.restart()
    assert board.standings() == []
