"""Test Train and Failures."""

import re
import signal
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.e2e.conftest import Server
from tests.e2e.test_shutdown import trainer_of
from tests.e2e_page.conftest import BrowserUser, StartPageServer
from tests.e2e_page.seen import start_training
from tests.e2e_page.test_quality import violations


def expect_points(page: Page, name: str, points: int) -> None:
    """Wait until a chart reports this many points."""
    expect(page.get_by_role("img", name=re.compile(f"^{name}.* {points} points"))).to_be_visible()


def test_the_form_has_the_servers_parameters_and_limits(user: BrowserUser) -> None:
    page = user.open("?view=train")
    episodes = page.get_by_label("Episodes", exact=True)
    expect(episodes).to_have_value("100")
    button = page.get_by_role("button", name="Start training")
    expect(button).to_be_enabled()
    for wrong, said in [
        ("0", "1 to 100,000"),
        ("2.5", "whole number"),
        ("", "needs a value"),
        ("x", "number"),
    ]:
        episodes.fill(wrong)
        expect(episodes).to_have_attribute("aria-invalid", "true")
        expect(page.get_by_text(re.compile(said)).first).to_be_visible()
        expect(button).to_be_disabled()
    episodes.fill("20")
    expect(button).to_be_enabled()
    page.get_by_text("More parameters").click()
    for label in ("Batch size", "Replay buffer", "Learning rate", "Discount (gamma)", "Seed", "Go on from"):
        expect(page.get_by_label(label, exact=True)).to_be_visible()
    worlds = page.get_by_label("Worlds at once", exact=True)
    expect(worlds).to_have_value("1")
    worlds.fill("33")
    expect(page.get_by_text("Allowed: 1 to 32.")).to_be_visible()
    page.get_by_label("Batch size", exact=True).fill("500")
    page.get_by_label("Replay buffer", exact=True).fill("200")
    expect(page.get_by_text("At most the replay buffer, 200.")).to_be_visible()
    page.get_by_role("button", name="Defaults").click()
    expect(episodes).to_have_value("100")
    expect(button).to_be_enabled()


def test_a_run_from_start_to_stop(teacher: BrowserUser) -> None:
    page = teacher.open("?view=train")
    start_training(
        page,
        Episodes="400",
        Show_one_episode_in="1",
        Seconds_per_shown_step="0.02",
        Episodes_per_checkpoint="2",
    )
    expect(page.get_by_text("Training", exact=True)).to_be_visible()
    events = page.get_by_role("log", name="What happened")
    expect(events).to_contain_text("Started")
    expect(page.locator(".live .agent")).to_be_visible()
    for chart in ("Survival", "Return", "Loss", "Exploration", "Replay buffer"):
        expect(page.get_by_role("img", name=re.compile(rf"^{chart}.*\d+ points"))).to_be_visible()
    expect(events).to_contain_text("Checkpoint saved")

    watching = teacher.open()
    expect(watching.get_by_role("link", name=re.compile("Train.*a run is on"))).to_be_visible()
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    expect(events).to_contain_text("Paused")

    other = teacher.open("?view=train")
    expect(other.get_by_text("One run at a time")).to_be_visible()
    expect(other.get_by_role("button", name="Start training")).to_have_count(0)
    run = other.get_by_role("region", name="The run")
    expect(run.get_by_text("Paused", exact=True)).to_be_visible()
    # What happened before it came is told too.
    expect(other.get_by_role("log", name="What happened")).to_contain_text("Started")
    # Whoever comes late, or comes back, sees the whole run.
    survival = other.get_by_role("img", name=re.compile(r"^Survival.*\d+ points"))
    expect(survival).to_be_visible()
    done = int(re.findall(r"(\d+) points", survival.get_attribute("aria-label") or "")[0])
    assert done >= 2
    expect_points(page, "Survival", done)
    other.reload()
    expect_points(other, "Survival", done)
    page.reload()
    expect_points(page, "Survival", done)
    for happened in ("Started", "Checkpoint saved", "Paused"):
        expect(events).to_contain_text(happened)

    other.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("button", name="Pause")).to_be_enabled()
    expect(events).to_contain_text("Resumed")
    page.get_by_role("button", name="Stop and save").click()
    expect(events).to_contain_text("Stopped")
    for view in (page, other):
        expect(view.get_by_role("button", name="Start training")).to_be_enabled()

    # 7. What it died of, with filters.
    page.get_by_role("link", name="Failures").click()
    rows = page.get_by_role("table").locator("tbody tr")
    expect(rows.first).to_be_visible()
    reason = rows.first.locator("td").nth(3).inner_text()
    expect(page.locator(".summary li").first).to_contain_text(re.compile(r"\d+"))
    page.get_by_label("Reason", exact=True).select_option(label=reason)
    expect(rows.first).to_contain_text(reason)
    page.get_by_label("From episode").fill("100000")
    expect(page.get_by_text("Nothing to show.")).to_be_visible()
    page.get_by_label("From episode").fill("-1")
    teacher.excuse("400")
    expect(page.get_by_role("alert")).to_contain_text("min_episode")


@pytest.mark.long
def test_a_run_that_finishes(teacher: BrowserUser) -> None:
    page = teacher.open("?view=train")
    start_training(
        page,
        Episodes="3",
        Show_one_episode_in="100",
        Seconds_per_shown_step="0",
        Name_of_the_model="champion",
    )
    events = page.get_by_role("log", name="What happened")
    expect(events).to_contain_text("Finished")
    expect(events).to_contain_text("saved as champion")
    expect(page.get_by_role("button", name="Start training")).to_be_enabled()
    expect_points(page, "Survival", 3)
    events.get_by_role("link", name="Watch it").click()
    expect(page.get_by_role("heading", name="Watch an agent live")).to_be_attached()
    expect(page).to_have_url(re.compile(r"model=champion\.pt"))
    expect(page.get_by_label("Model", exact=True)).to_have_value("champion.pt")
    expect(page.locator("optgroup[label='Trained here'] option", has_text="champion")).to_be_attached()
    # A name that is taken is refused at its field.
    page.go_back()
    start_training(page, Name_of_the_model="champion")
    expect(page.get_by_label("Name of the model")).to_have_attribute("aria-invalid", "true")


@pytest.mark.long
def test_several_seeds_are_compared_and_the_best_is_watched(teacher: BrowserUser) -> None:
    page = teacher.open("?view=train")
    page.get_by_label("Network", exact=True).select_option("qnetwork")
    page.get_by_label("Seeds", exact=True).fill("17")
    expect(page.get_by_text("Allowed: 1 to 16.")).to_be_visible()
    page.get_by_label("Seeds", exact=True).fill("2")
    page.get_by_label("Episodes", exact=True).fill("4")
    page.get_by_role("button", name="Train 2 seeds").click()
    sweep = page.get_by_role("region", name="Several seeds")
    expect(sweep.get_by_role("button", name="Stop and save")).to_be_enabled()
    watching = teacher.open()
    expect(watching.get_by_role("link", name=re.compile("Train.*a run is on"))).to_be_visible()
    best = page.get_by_role("link", name="Watch the best")
    expect(best).to_be_visible()
    rows = sweep.get_by_role("table").locator("tbody tr")
    expect(rows).to_have_text([re.compile(r"4 of 4\s*\d+$")] * 2)
    expect(rows.first).to_contain_text("the best")
    expect(sweep.get_by_text(re.compile(r"Half of them live \d+ steps or more"))).to_be_visible()
    chart = page.get_by_role("img", name=re.compile("^Survival from random starts.*median of 2 seeds"))
    expect(chart).to_be_visible()
    assert violations(page) == []
    # Whoever comes late, or comes back, sees it too.
    page.reload()
    expect(chart).to_be_visible()
    best.click()
    expect(page.get_by_label("Model", exact=True)).to_have_value(re.compile(r"^sweep-.*\.pt$"))
    page.get_by_role("link", name="Runs", exact=True).click()
    expect(page.get_by_role("row").filter(has=page.get_by_role("checkbox"))).to_have_count(2)


@pytest.mark.long
def test_a_trainer_crash_is_reported_and_the_run_goes_on(teacher: BrowserUser, own_server: Server) -> None:
    page = teacher.open("?view=train")
    start_training(
        page,
        Episodes="400",
        Show_one_episode_in="1",
        Seconds_per_shown_step="0.02",
        Episodes_per_checkpoint="1",
    )
    events = page.get_by_role("log", name="What happened")
    expect(events).to_contain_text("Checkpoint saved")
    trainer_of(own_server).kill()
    expect(events).to_contain_text("It goes on from its last checkpoint.")
    expect(events).to_contain_text("Resumed by a new trainer")
    expect(page.get_by_role("link", name=re.compile("Train.*a run is on"))).to_be_visible()
    expect(page.get_by_role("button", name="Pause")).to_be_enabled()
    page.get_by_role("button", name="Stop and save").click()
    expect(events).to_contain_text("Stopped")
    expect(page.get_by_role("link", name="Train", exact=True)).to_be_visible()


@pytest.mark.long
def test_a_trainer_that_hangs_is_reported_until_it_responds(teacher: BrowserUser, own_server: Server) -> None:
    page = teacher.open("?view=train")
    start_training(page, Episodes="2000", Episodes_per_checkpoint="1")
    expect(page.get_by_role("log", name="What happened")).to_contain_text("Checkpoint saved")
    trainer = trainer_of(own_server)
    trainer.suspend()
    expect(page.get_by_text("The trainer does not respond")).to_be_visible(timeout=90_000)
    expect(page.get_by_text("has not responded for")).to_be_visible()
    expect(page.get_by_role("button", name="Stop and save")).to_be_enabled()
    trainer.resume()
    expect(page.get_by_text("The trainer does not respond")).to_be_hidden()
    page.get_by_role("button", name="Stop and save").click()
    expect(page.get_by_role("button", name="Start training")).to_be_enabled()


@pytest.mark.long
def test_a_run_of_a_killed_server_is_offered_without_a_reload(
    browser: Browser, start_page_server: StartPageServer, tmp_path: Path
) -> None:
    server = start_page_server(data_dir=tmp_path)
    user = BrowserUser(browser, f"http://127.0.0.1:{server.port}")
    user.excuse("ERR_CONNECTION_REFUSED", "ERR_EMPTY_RESPONSE", "ERR_CONNECTION_RESET", "/ws/training")
    page = user.open("?view=train")
    start_training(page, Episodes="2000", Episodes_per_checkpoint="1")
    expect(page.get_by_role("log", name="What happened")).to_contain_text("Checkpoint saved")
    server.signal(signal.SIGKILL)
    server.wait()
    again = start_page_server(port=server.port, data_dir=tmp_path)
    page.get_by_role("button", name=re.compile("^Go on with")).click()
    expect(page.get_by_role("button", name="Pause")).to_be_enabled()
    page.get_by_role("button", name="Stop and save").click()
    expect(page.get_by_role("button", name="Start training")).to_be_enabled()
    user.leave()
    again.end()


def test_failures_of_an_empty_history(user: BrowserUser) -> None:
    page = user.open("?view=failures")
    expect(page.get_by_text("Nothing to show.")).to_be_visible()
    # What is not there cannot be filtered.
    expect(page.get_by_label("From episode")).to_have_count(0)
    page.get_by_role("link", name="Train an agent").click()
    expect(page.get_by_role("heading", name="Train an agent", level=2)).to_be_visible()


def test_a_server_without_history_is_a_quiet_note(user: BrowserUser) -> None:
    def gone(route: Route) -> None:
        route.fulfill(status=404, content_type="application/problem+json", body='{"code": "not_found"}')

    context = user.context()
    context.route("**/api/fail*", gone)
    user.excuse("404")
    page = user.open("?view=failures", context)
    expect(page.get_by_text("This server keeps no history of training.")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)
