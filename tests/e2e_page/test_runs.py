"""Test Runs: the list, the curves over each other, what they are saved as, and the names of models."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from tests.e2e.conftest import Server
from tests.e2e_page.conftest import BrowserUser, StartPageServer
from tests.e2e_page.past_runs import ONE, OTHER, TWO, model_of, write_past
from tests.e2e_page.seen import expect_connected
from tests.e2e_page.test_quality import violations
from tests.web.access.conftest import Known, made

__all__ = ["made"]


@pytest.fixture
def own_server(past_server: Server) -> Server:
    """Let the teacher use a server that remembers runs."""
    return past_server


def legend(page: Page) -> list[str]:
    """Return what the chart's legend says, a line each."""
    return [re.sub(r"\s+", " ", text) for text in page.locator(".legend li").all_inner_texts()]


def rows(page: Page) -> Locator:
    """Return the rows of the list."""
    return page.get_by_role("row").filter(has=page.get_by_role("checkbox"))


def test_runs_are_listed_and_drawn_over_each_other(teacher: BrowserUser) -> None:
    page = teacher.open("?view=runs", locale="en-US")
    expect(rows(page)).to_have_count(3)
    # Newest first, with its world, the parameter that differs, and what it can do.
    expect(rows(page).first).to_contain_text("Paid for being near")
    expect(rows(page).first).to_contain_text("Discount (gamma) 0.9")
    expect(rows(page).first).to_contain_text("1,200")
    expect(rows(page).first).to_contain_text("600 from random starts")
    expect(rows(page).first).to_contain_text("Skilled")
    chart = page.get_by_role("img", name=re.compile("^Survival in training"))
    expect(chart).to_be_visible()
    expect(page.locator(".legend li")).to_have_count(3)
    # Mean of the last ten: of 310 to 400.
    assert any(line.endswith("seed 1 355") for line in legend(page)), legend(page)
    expect(page).to_have_url(re.compile(f"run={OTHER}.*run={TWO}.*run={ONE}"))

    # The keyboard reads values, also from the middle.
    slider = page.get_by_role("slider", name=re.compile("^Episode"))
    slider.focus()
    page.keyboard.press("Home")
    expect(slider).to_have_attribute("aria-valuetext", re.compile(r"^Episode 1; .*seed 1: 10$"))
    page.keyboard.press("ArrowRight")
    expect(slider).to_have_attribute("aria-valuetext", re.compile(r"^Episode 2; .*seed 1: 15$"))
    # So does the pointer.
    page.locator(".overlay canvas").hover(position={"x": 50, "y": 20})
    expect(page.locator(".legend li").last).to_contain_text(re.compile(r"seed 1\s*10$"))
    page.mouse.move(0, 0)

    page.get_by_role("slider", name="Mean of 10 episodes").fill("1")
    expect(page.get_by_role("slider", name="Not smoothed")).to_be_visible()
    assert any(line.endswith("seed 1 400") for line in legend(page)), legend(page)
    page.get_by_label("Show", exact=True).select_option("anywhere")
    expect(page.get_by_role("img", name=re.compile("random starts"))).to_be_visible()
    assert any(line.endswith("seed 1 200") for line in legend(page)), legend(page)

    # A run is taken away, by keyboard.
    rows(page).first.get_by_role("checkbox").focus()
    page.keyboard.press("Space")
    expect(page.locator(".legend li")).to_have_count(2)

    # A link shows the same.
    link = page.url
    other = teacher.open(f"?{link.split('?')[1]}")
    expect(other.locator(".legend li")).to_have_count(2)
    assert legend(other) == legend(page)


def test_seeds_of_one_configuration_are_a_mean_with_its_range(teacher: BrowserUser) -> None:
    page = teacher.open(f"?view=runs&run={ONE}&run={TWO}&run={OTHER}&smooth=1")
    expect(page.locator(".legend li")).to_have_count(3)
    page.get_by_role("button", name="Seeds together").click()
    expect(page.locator(".legend li")).to_have_count(2)
    expect(page.locator(".legend li").first).to_contain_text(
        re.compile(r"mean of 2 runs, seeds 1, 2\s*600 \(400 to 800\)")
    )
    expect(page).to_have_url(re.compile("seeds=1"))

    with page.expect_download() as waiting:
        page.get_by_role("button", name="CSV").click()
    table = Path(waiting.value.path()).read_text(encoding="utf-8-sig").splitlines()
    assert waiting.value.suggested_filename == "survival.csv"
    assert len(table) == 41
    assert re.match(r'episode,"[^"]+","[^"]+, lowest","[^"]+, highest",', table[0])
    assert table[40].startswith("40,600,400,800,1200")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="PNG").click()
    picture = Path(waiting.value.path()).read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) > 5_000


def test_a_run_leads_to_its_model_recordings_and_failures(teacher: BrowserUser) -> None:
    page = teacher.open("?view=runs")
    rows(page).first.get_by_role("button", name=re.compile("^Details")).click()
    detail = page.locator("tr.detail")
    expect(detail.get_by_text("Money ran out")).to_be_visible()
    detail.get_by_role("link", name="30 failures").click()
    expect(page.get_by_label("Run", exact=True)).to_have_value(OTHER)
    # The latest first, and the one that was recorded can be seen.
    table = page.get_by_role("table").locator("tbody tr")
    expect(table.first).to_contain_text("39")
    expect(table.nth(1)).to_contain_text("38")
    assert violations(page) == []
    # Over the run: the last stretch alone.
    page.locator(".bars button").last.click()
    expect(page.get_by_label("To episode")).to_have_value("40")
    table.first.get_by_role("link", name="Replay episode 39").click()
    expect(page.get_by_role("status").filter(has_text="Replay of episode")).to_be_visible()

    page.go_back()
    page.get_by_role("link", name="Runs", exact=True).click()
    rows(page).first.get_by_role("button", name=re.compile("^Details")).click()
    detail.get_by_role("link", name=re.compile("^Watch")).click()
    expect_connected(page)
    expect(page).to_have_url(re.compile(f"model={model_of(OTHER)}"))


def test_a_column_of_all_failures_leads_to_its_run(teacher: BrowserUser) -> None:
    page = teacher.open("?view=failures", locale="en-US")
    expect(page.get_by_role("table").locator("tbody tr")).to_have_count(20)
    columns = page.locator(".bars button")
    expect(columns).to_have_count(3)
    expect(columns.first).to_have_attribute(
        "aria-label", re.compile("30 of 40 episodes failed; Money ran out, 30")
    )
    columns.first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Run", exact=True)).to_have_value(ONE)
    expect(page).to_have_url(re.compile(f"of={ONE}"))
    expect(columns).to_have_count(20)
    page.get_by_role("table").get_by_role("link").first.click()
    expect(page.locator(".legend li")).to_have_count(1)


def test_a_model_is_named_and_the_name_is_everywhere(teacher: BrowserUser) -> None:
    page = teacher.open(f"?view=runs&run={ONE}")
    rows(page).last.get_by_role("button", name=re.compile("^Details")).click()
    name = page.get_by_label("Name of this model")
    name.fill("Our champion")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").filter(has_text="Saved.")).to_be_visible()
    expect(rows(page).last).to_contain_text("Our champion")
    expect(page.locator(".legend li")).to_contain_text("Our champion, seed 1")
    rows(page).first.get_by_role("button", name=re.compile("^Details")).click()
    name.fill("our CHAMPION")
    teacher.excuse("409")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Another model has this name.")).to_be_visible()
    assert violations(page) == []
    page.get_by_role("link", name="Watch", exact=True).click()
    expect_connected(page)
    expect(page.get_by_label("Model", exact=True).locator("option", has_text="Our champion")).to_have_count(1)


@pytest.mark.long
def test_a_student_names_nothing(
    browser: Browser, start_page_server: StartPageServer, made: Known, page_models: Path, tmp_path: Path
) -> None:
    write_past(tmp_path, page_models / "checkpoint_ep50.pt")
    server = start_page_server(login="teachers", tokens_file=made.file, data_dir=tmp_path)
    user = BrowserUser(browser, f"http://127.0.0.1:{server.port}")
    page = user.open("?view=runs")
    rows(page).first.get_by_role("button", name=re.compile("^Details")).click()
    expect(page.get_by_role("link", name="30 failures")).to_be_visible()
    expect(page.get_by_label("Name of this model")).to_have_count(0)
    refused = page.request.put(
        f"{page.url.split('?')[0]}api/models/{model_of(ONE)}/given_name", data={"given_name": "x"}
    )
    assert refused.status in (401, 403)
    user.leave()
    server.end()


@pytest.mark.parametrize(
    "size",
    [
        (1366, 768),
        pytest.param((390, 844), marks=pytest.mark.long),
        pytest.param((360, 640), marks=pytest.mark.long),
    ],
)
def test_axe_finds_nothing_in_any_size_and_language(teacher: BrowserUser, size: tuple[int, int]) -> None:
    page = teacher.open(
        "?view=runs", viewport={"width": size[0], "height": size[1]}, color_scheme="light", locale="de-DE"
    )
    expect(page.locator(".legend li")).to_have_count(3)
    rows(page).first.get_by_role("button", name=re.compile("^Einzelheiten")).click()
    expect(page.get_by_label("Name dieses Modells")).to_be_visible()
    assert violations(page) == []
    page.emulate_media(color_scheme="dark")
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_no_runs_no_history_and_a_failing_one_are_told_apart(user: BrowserUser) -> None:
    page = user.open("?view=runs")
    expect(page.get_by_text("No run yet.")).to_be_visible()
    assert violations(page) == []

    def answer(status: int, body: str) -> Page:
        def fulfil(route: Route) -> None:
            route.fulfill(status=status, content_type="application/problem+json", body=body)

        context = user.context()
        context.route("**/api/runs?*", fulfil)
        user.excuse(str(status))
        return user.open("?view=runs", context)

    expect(answer(404, '{"code": "not_found"}').get_by_text("keeps no history")).to_be_visible()
    failing = answer(503, '{"detail": "The history is damaged.", "code": "history_unavailable"}')
    expect(failing.get_by_role("alert").filter(has_text="The history is damaged.")).to_be_visible()
