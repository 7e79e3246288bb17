"""Take the README's pictures: `make screenshots`, or `python -m scripts.screenshots`.

A real Chromium before a real server, with the repository's models and a real training run. Each picture is
looked at before it is committed.
"""

import re
import shutil
import sys
from typing import Final

from playwright.sync_api import Browser, Page, expect, sync_playwright

from bench import REPOSITORY
from bench.page.measuring import FLAGS
from bench.server import running_server

TARGET: Final = REPOSITORY / "docs" / "images"
LARGEST: Final = 300_000
LAPTOP: Final = {"width": 1440, "height": 900}
PHONE: Final = {"width": 390, "height": 844}


def take(page: Page, name: str) -> None:
    """Write one picture."""
    path = TARGET / name
    # Without a pointer over anything, and after the agent's last move.
    page.mouse.move(0, 0)
    page.wait_for_timeout(800)
    page.screenshot(path=path)
    size = path.stat().st_size
    print(f"{path.relative_to(REPOSITORY)}  {size / 1000:.0f} kB")
    if size > LARGEST:
        sys.exit(f"{name} is larger than {LARGEST} bytes; the README wants it smaller.")


def open_page(browser: Browser, address: str, *, dark: bool = False, phone: bool = False) -> Page:
    """Return a new browser window."""
    context = browser.new_context(
        viewport=PHONE if phone else LAPTOP,  # type: ignore[arg-type]
        has_touch=phone,
        color_scheme="dark" if dark else "light",
    )
    # Nobody is new here: the welcome would stand before the world.
    context.add_init_script("localStorage.setItem('hamlet.visited', 'true')")
    page = context.new_page()
    page.set_default_timeout(120_000)
    page.goto(address)
    return page


def play_to(page: Page, episode: int, step: int) -> None:
    """Play every world on screen fast to this episode, then pause the last one at a step of it."""
    page.get_by_role("button", name=re.compile("^Start")).click()
    reached = "|".join(map(str, range(episode, episode + 500)))
    for world in page.locator(".facts .fact:has(dt:text-is('Episode')) dd").all():
        expect(world).to_have_text(re.compile(f"^({reached})$"), timeout=300_000)
    page.get_by_role("button", name=re.compile("^Pause")).click()
    page.get_by_role("button", name=re.compile("^Start")).wait_for()
    # Text follows the frames a few times a second.
    page.wait_for_timeout(500)
    steps = page.locator(".facts .fact:has(dt:text-is('Step')) dd").last
    forward = page.get_by_role("button", name=re.compile("^Step"))
    for number in range(int(steps.inner_text()) + 1, step + 1):
        forward.click()
        expect(steps).to_have_text(str(number))


def watch(browser: Browser, base: str) -> None:
    """Show Watch on a laptop, in the light scheme."""
    page = open_page(browser, f"{base}/?speed=10")
    play_to(page, episode=8, step=33)
    page.get_by_role("slider", name="Speed").fill("3")
    take(page, "watch-laptop.png")
    page.context.close()


def compare(browser: Browser, base: str) -> None:
    """Show three stages of training side by side."""
    page = open_page(browser, f"{base}/?view=compare&speed=10")
    page.locator("article .agent").nth(2).wait_for()
    play_to(page, episode=3, step=47)
    page.get_by_role("slider", name="Speed").fill("3")
    take(page, "compare.png")
    page.context.close()


def replay(browser: Browser, base: str) -> None:
    """Show an episode rewound to a mark."""
    page = open_page(browser, f"{base}/?speed=10&model=checkpoint_ep455.pt", dark=True)
    play_to(page, episode=2, step=90)
    page.get_by_role("slider", name="Step", exact=True).fill("0")
    page.get_by_role("status").filter(has_text="Rewound").wait_for()
    page.get_by_role("button", name="Next mark").click()
    expect(page.get_by_role("slider", name="Step", exact=True)).to_have_attribute(
        "aria-valuetext", re.compile("used|critical")
    )
    take(page, "replay.png")
    page.context.close()


def phone(browser: Browser, base: str) -> None:
    """Show Watch on a phone, in the dark scheme."""
    page = open_page(browser, f"{base}/?speed=10", dark=True, phone=True)
    play_to(page, episode=3, step=40)
    page.get_by_role("slider", name="Speed").fill("3")
    page.evaluate("window.scrollTo(0, 0)")
    take(page, "phone.png")
    page.context.close()


def train(browser: Browser, base: str) -> None:
    """Show a run, two thirds through, in the dark scheme."""
    page = open_page(browser, f"{base}/?view=train", dark=True)
    page.get_by_text("More parameters").click()
    page.get_by_label("Show one episode in", exact=True).fill("60")
    page.get_by_label("Seconds per shown step").fill("0.1")
    page.get_by_label("Episodes per checkpoint", exact=True).fill("20")
    page.get_by_role("button", name="Start training").click()
    expect(page.get_by_role("img", name=re.compile(r"^Survival.* 60 points"))).to_be_visible(timeout=600_000)
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("button", name="Resume").wait_for()
    page.get_by_role("button", name="Resume").click()
    page.get_by_role("button", name="Pause").wait_for()
    take(page, "train.png")
    page.get_by_role("button", name="Stop and save").click()
    page.get_by_role("button", name="Start training").wait_for()
    page.context.close()


PICTURES: Final = {"watch": watch, "compare": compare, "replay": replay, "phone": phone, "train": train}


def main(names: list[str]) -> None:
    """Take the named pictures, or all of them."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        sys.exit("Chromium is needed: apt-get install chromium")
    TARGET.mkdir(exist_ok=True)
    with running_server() as port, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        for name in names or PICTURES:
            PICTURES[name](browser, f"http://127.0.0.1:{port}")
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
