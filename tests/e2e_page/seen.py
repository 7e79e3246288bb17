"""Read the page as a person does: by its names and numbers."""

import re

from playwright.sync_api import Locator, Page, expect


def fact(page: Page | Locator, name: str) -> Locator:
    """Return one of the facts of the episode, such as Step."""
    # A term that explains itself is a button in its `dt`.
    return page.locator(f".facts .fact:has(dt:text-is('{name}'), dt :text-is('{name}')) dd")


def number(page: Page | Locator, name: str) -> float:
    """Return a fact as a number."""
    return float(fact(page, name).inner_text().replace("\u2212", "-"))


def expect_connected(page: Page | Locator) -> None:
    """Wait until the world is shown."""
    expect(fact(page, "Episode")).to_have_text(re.compile(r"\d+"))
    expect(page.locator(".agent")).to_be_visible()


def expect_all_connected(page: Page, count: int) -> list[Locator]:
    """Return the compared sessions once each shows its world."""
    panes = page.get_by_role("article")
    expect(panes).to_have_count(count)
    for pane in panes.all():
        expect_connected(pane)
    return panes.all()


def expect_step_above(page: Page | Locator, step: int) -> None:
    """Wait until the session has made more steps."""
    above = "|".join(str(one) for one in range(step + 1, step + 1200))
    expect(fact(page, "Step")).to_have_text(re.compile(rf"^({above})$"))


def agent_cell(page: Page | Locator) -> tuple[int, int]:
    """Return the agent's column and row, from 1, as it is drawn.

    What the world says of itself may follow later.
    """
    column, row = page.locator(".agent").first.evaluate("""(agent) => {
        const { left, top, width, height } = agent.getBoundingClientRect();
        const plane = agent.parentElement.getBoundingClientRect();
        return [(left - plane.left) / width, (top - plane.top) / height];
    }""")
    return round(column) + 1, round(row) + 1


def start_training(page: Page, **entries: str) -> None:
    """Fill in the form of Train and start."""
    page.get_by_text("More parameters").click()
    for label, value in entries.items():
        page.get_by_label(label.replace("_", " "), exact=True).fill(value)
    page.get_by_role("button", name="Start training").click()
