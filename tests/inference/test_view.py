"""set_view: what frames show of the policy's reasoning."""

from pathlib import Path

import numpy as np
import pytest
from msgspec import UNSET

from hamlet_trio.agent.checkpoint import load_checkpoint
from hamlet_trio.agent.policy import Policy
from hamlet_trio.protocol.messages import StateUpdate, View
from hamlet_trio.world import Worlds
from tests.inference.support import UP, Client, save_model


async def test_frames_show_nothing_unless_asked(client: Client) -> None:
    first = client.first_frame
    for frame in (first, await client.step()):
        assert frame.q_values is UNSET
        assert frame.attention is UNSET


async def test_q_values_are_those_the_action_was_chosen_from(client: Client, models: Path) -> None:
    policy = Policy.from_checkpoint(load_checkpoint(models / "relational.pt"))
    world = Worlds(1)
    client.say("load_model", model="relational.pt")
    await client.skip_to(StateUpdate)
    client.say("set_view", q_values=True, attention=True)
    view = await client.expect(View)
    expected = policy.act(world.observe()[:, 0], attention=True)
    assert view.current_q_values == pytest.approx(expected.q_values[0].tolist(), abs=1e-5)
    for _ in range(20):
        expected = policy.act(world.observe()[:, 0], attention=True)
        assert expected.attention is not None
        frame = await client.step()
        assert frame.q_values == pytest.approx(expected.q_values[0].tolist(), abs=1e-5)
        assert np.array(frame.attention) == pytest.approx(expected.attention[0], abs=1e-5)
        assert frame.action == expected.actions[0]
        world.step(expected.actions)


async def test_the_values_of_options_come_with_q_values(client: Client, models: Path) -> None:
    save_model(models / "options.pt", network_type="options", seed=3)
    policy = Policy.from_checkpoint(load_checkpoint(models / "options.pt"))
    client.say("load_model", model="options.pt")
    await client.skip_to(StateUpdate)
    assert (await client.step()).option_values is UNSET
    client.say("set_view", q_values=True)
    view = await client.expect(View)
    assert view.current_option_values is not None
    frame = await client.step()
    assert frame.option_values == view.current_option_values
    assert [option.place for option in view.current_option_values] == [
        *("Bed", "Shower", "HomeMeal", "FastFood", "Job", "Recreation", "Bar", "Gym")
    ]
    world = Worlds(1)
    world.step(policy.act(world.observe()[:, 0]).actions)
    values = policy.act(world.observe()[:, 0]).option_values
    assert values is not None
    shown_values = [option.value for option in view.current_option_values]
    assert shown_values == pytest.approx(values[0].tolist(), abs=1e-5)
    _, replayed = await client.rewind(2)
    shown = replayed.option_values
    assert shown is not UNSET
    assert [option.value for option in shown] == pytest.approx(shown_values, abs=1e-5)
    client.say("set_view", q_values=False)
    assert (await client.expect(View)).current_option_values is None


async def test_step_0_shows_the_first_observations_values(client: Client) -> None:
    client.say("set_view", q_values=True)
    view = await client.expect(View)
    client.say("reset")
    frame = await client.skip_to(StateUpdate)
    assert frame.step == 0
    assert frame.q_values == view.current_q_values == [0.0, 0.0, 0.0, 1.0, 0.0]


async def test_a_person_sees_what_the_policy_would_have_done(client: Client) -> None:
    client.say("set_view", q_values=True)
    await client.expect(View)
    await client.ask("take_control")
    client.say("act", action=UP)
    frame = await client.expect(StateUpdate)
    assert frame.action == UP
    assert frame.q_values == [0.0, 0.0, 0.0, 1.0, 0.0]


async def test_attention_is_null_for_a_network_without(client: Client) -> None:
    client.say("set_view", attention=True)
    assert await client.expect(View) == View(False, True, None, None)
    client.say("step")
    assert '"attention":null' in (text := await client.hear_text())
    assert "q_values" not in text


async def test_a_field_left_out_keeps_its_value(client: Client) -> None:
    client.say("set_view", q_values=True)
    await client.expect(View)
    client.say("set_view", attention=True)
    view = await client.expect(View)
    assert (view.q_values, view.attention) == (True, True)
    client.say("set_view", q_values=False, attention=False)
    assert await client.expect(View) == View(False, False, None, None)
    assert (await client.step()).q_values is UNSET


async def test_set_view_is_answered_after_the_episode_is_over(client: Client) -> None:
    await client.play_out()
    client.say("set_view", q_values=True)
    assert (await client.expect(View)).current_q_values == [0.0, 0.0, 0.0, 1.0, 0.0]
    await client.assert_silent()
