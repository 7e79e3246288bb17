"""A run that fits a lesson: the showcase, its pace, and what the class has when the run is over."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e_page.conftest import BrowserUser
from tests.e2e_page.seen import start_training


def shown_episode(page: Page) -> int:
    """Return the number of the episode that is shown."""
    text = page.locator(".live").inner_text()
    found = re.search(r"Episode\s+(\d+)", text)
    assert found is not None, text
    return int(found[1])


def expect_slower_and_faster(page: Page, teacher_sees: bool) -> None:
    for name in ("Slower", "Faster"):
        expect(page.get_by_role("button", name=name)).to_have_count(1 if teacher_sees else 0)


@pytest.mark.long
def test_the_page_learns_at_full_speed_and_its_pace_is_changed_for_all(teacher: BrowserUser) -> None:
    page = teacher.open("?view=train")
    start_training(page, Episodes="2000", Seconds_per_shown_step="1")
    expect(page.locator(".live .agent")).to_be_visible()
    # Learning does not wait for an episode that takes minutes to show.
    progress = page.get_by_role("progressbar", name="Episodes done")
    expect(progress).to_have_attribute("value", re.compile(r"^[1-9]\d+$"))
    assert shown_episode(page) == 1
    pace = page.get_by_role("group", name="Pace of the shown episode")
    expect(pace.get_by_role("status")).to_have_text("1 step a second")
    expect(pace.get_by_role("button", name="Slower")).to_be_disabled()

    student = teacher.open("?view=train")
    same = student.get_by_role("group", name="Pace of the shown episode").get_by_role("status")
    expect(same).to_have_text("1 step a second")
    lesson = teacher.open("?lesson=train")
    expect(lesson.get_by_role("region", name=re.compile("^Guided lesson"))).to_contain_text(
        "A run is on: follow it."
    )
    expect(lesson.locator(".live .agent")).to_be_visible()
    faster = pace.get_by_role("button", name="Faster")
    for steps in ("2", "5", "10", "20", "50"):
        faster.press("Enter")
        expect(pace.get_by_role("status")).to_have_text(f"{steps} steps a second")
    expect(faster).to_be_disabled()
    expect(same).to_have_text("50 steps a second")
    # The episode on screen goes on to its end, and a later one follows.
    expect(page.locator(".live")).to_contain_text(re.compile(r"Episode\s*([5-9]|\d\d)"))

    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    expect(page.get_by_role("region", name="The run")).to_contain_text("waiting")
    page.get_by_role("button", name="Stop and save").click()
    expect(page.get_by_role("button", name="Start training")).to_be_enabled()
    expect_slower_and_faster(page, teacher_sees=False)


def test_after_the_run_its_curves_and_its_model_stay(teacher: BrowserUser) -> None:
    page = teacher.open("?view=train")
    start_training(page, Episodes="6", Seconds_per_shown_step="0")
    result = page.get_by_role("region", name="What it has learnt")
    expect(result).to_contain_text(re.compile(r"It lived \d+ steps at first, now \d+\."))
    expect(page.get_by_role("img", name=re.compile(r"^Survival.* 6 points"))).to_be_visible()
    # Whoever comes later finds the same, and what happened.
    late = teacher.open("?view=train")
    expect(late.get_by_role("region", name="What it has learnt")).to_be_visible()
    expect(late.get_by_role("img", name=re.compile(r"^Survival.* 6 points"))).to_be_visible()
    expect(late.get_by_role("log", name="What happened")).to_contain_text("Finished")
    expect(late.get_by_role("button", name="Start training")).to_be_enabled()

    late.get_by_label("Name it").fill("Blue Owl")
    late.get_by_label("Name it").press("Enter")
    expect(late.get_by_text("It is called Blue Owl now.")).to_be_visible()
    late.get_by_role("region", name="What it has learnt").get_by_role("link", name="Watch it").click()
    expect(late.locator(".agent").first).to_be_visible()
    expect(late.locator("select option:checked", has_text="Blue Owl")).to_have_count(1)
