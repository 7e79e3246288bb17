"""Compact frames in a session: which ones are full, and that they tell the same as a session of full ones."""

import json
from typing import Any

from trio.testing import MockClock

from hamlet_trio.inference import InferenceService
from hamlet_trio.protocol.messages import InferenceMessage, Playback, SessionResumed
from tests.inference.support import Client, greeted, real_time_limit
from tests.protocol.reader import Reader

SCRIPT: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("step", {}, "compact"),
    ("step", {}, "compact"),
    ("set_view", {"q_values": True}, ""),
    ("step", {}, "full"),
    ("step", {}, "compact"),
    ("seek", {"step": 2}, "full"),
    ("seek", {"step": 3}, "full"),
    ("step", {}, "full"),  # branches off
    ("step", {}, "compact"),
    ("record", {}, ""),
    ("load_recording", {}, "full"),
    ("step", {}, "compact"),
    ("step", {}, "compact"),
    ("leave_replay", {}, "full"),
    ("step", {}, "compact"),
    ("set_world", {"num_agents": 3}, "full"),
    ("step", {}, "compact"),
    ("reset", {}, "full"),
    ("step", {}, "compact"),
    ("load_model", {"model": "relational.pt"}, "full"),
    ("set_view", {"attention": True}, ""),
    ("step", {}, "full"),
    ("step", {}, "compact"),
    ("set_view", {"frames": "full"}, ""),
    ("step", {}, "full"),
)


async def played(client: Client, *, frames: str) -> list[tuple[str, str]]:
    """Carry out the script; return the form and the content of each frame."""
    client.say("set_view", frames=frames)
    assert json.loads(await client.hear_text())["frames"] == frames
    reader, found, recording = Reader(InferenceMessage), list[tuple[str, str]](), ""
    for command, given, _ in (("reset", {}, ""), *SCRIPT):
        fields: dict[str, Any] = {"recording": recording} if command == "load_recording" else {}
        client.say(command, **given, **fields)
        if command == "record":
            recording = json.loads(await client.hear_text())["recording"]["recording"]
        client.say("nothing")  # refused once all before it is done
        while (message := json.loads(text := await client.hear_text()))["type"] != "error":
            if message["type"] in ("state_update", "delta"):
                form = "compact" if message["type"] == "delta" else "full"
                found.append((form, reader.read(text)))
    return found[1:]


async def test_compact_frames_tell_the_same_as_full_ones(
    service: InferenceService, mock_clock: MockClock
) -> None:
    with real_time_limit():
        async with greeted(service) as compact, greeted(service) as full:
            told = await played(compact, frames="compact")
            expected = await played(full, frames="full")
    assert [frame for _, frame in told] == [frame for _, frame in expected]
    assert [form for form, _ in told] == [form for _, _, form in SCRIPT if form]
    assert {form for form, _ in expected} == {"full"}


async def test_a_resumed_session_keeps_its_form_and_begins_with_a_full_frame(
    service: InferenceService, mock_clock: MockClock
) -> None:
    with real_time_limit():
        async with greeted(service) as first:
            first.say("set_view", frames="compact")
            first.say("step")
            await first.hear()
            reader = Reader(InferenceMessage)
            before = reader.read(await first.hear_text())
        async with greeted(service) as second:
            second.say("resume_session", resume=first.connected.resume)
            await second.expect(SessionResumed)
            await second.expect(Playback)
            assert reader.read(text := await second.hear_text()) == before
            assert json.loads(text)["base"] == 1
            second.say("step")
            assert json.loads(await second.hear_text())["type"] == "delta"


async def test_those_who_follow_a_session_get_full_frames(
    service: InferenceService, mock_clock: MockClock
) -> None:
    with real_time_limit():
        async with greeted(service) as client:
            session = service.shared.find(client.connected.session_id, client.connected.proof)
            assert session is not None
            client.say("set_view", frames="compact")
            await client.hear()
            await client.step()
            followed: list[str] = []
            session.follow("test", lambda text, is_frame: followed.append(text))
            client.say("step")
            delta = json.loads(await client.hear_text())
            (text,) = followed
            assert (delta["type"], delta["step"]) == ("delta", 2)
            assert (json.loads(text)["type"], json.loads(text)["step"]) == ("state_update", 2)
            assert session.last_frame == text
