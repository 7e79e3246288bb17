"""Measure the built page in a headless Chromium: weight, speed, processor time, layout shifts and memory."""

import gzip
import shutil
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import psutil
from playwright.sync_api import Browser, Page, sync_playwright

from bench import REPOSITORY
from bench.server import running_server
from bench.suite.command import Effort, tell
from bench.suite.figures import Figure

PAGE: Final = REPOSITORY / "hamlet_trio" / "web" / "page"
FLAGS: Final = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SESSIONS: Final = 4
# As in the page's own tests: so high that no part is below the edge, where what moves is not counted.
TALL: Final = (1920, 2000)
# Notes when the world is on screen, from before the page's first line runs.
FIRST_VIEW: Final = """
window.firstView = null;
window.addEventListener('DOMContentLoaded', () => {
  const seen = new MutationObserver(() => {
    if (document.querySelector('.agent') === null) return;
    seen.disconnect();
    requestAnimationFrame(() => requestAnimationFrame((now) => { window.firstView = now; }));
  });
  seen.observe(document, { childList: true, subtree: true });
});
"""
# Notes every shift of the layout that nobody caused by pressing something, and every task of 50 ms or more.
WATCH: Final = """() => {
window.watched = { shift: 0, tasks: [] };
const watch = (type, note) =>
  new PerformanceObserver((list) => list.getEntries().forEach(note)).observe({ type });
watch('layout-shift', (entry) => { if (!entry.hadRecentInput) window.watched.shift += entry.value; });
watch('longtask', (entry) => { window.watched.tasks.push(entry.duration); });
}"""
# Counts the screen's refreshes, which makes the browser refresh whether or not the page asks for it.
REFRESHES: Final = """() => {
window.refreshes = 0;
const refreshed = () => { window.refreshes += 1; requestAnimationFrame(refreshed); };
requestAnimationFrame(refreshed);
}"""


def measure(effort: Effort) -> list[Figure]:
    """Return the page's figures; exit with a message where Chromium or the built page is missing."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        sys.exit("Chromium is needed: apt-get install chromium")
    if not (PAGE / "index.html").is_file():
        sys.exit("The page is not built: make page")
    rounds: list[dict[str, float]] = []
    with running_server() as port, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        base = f"http://127.0.0.1:{port}"
        for _ in range(effort.rounds):
            rounds.append(
                {
                    "first view": first_view(browser, base),
                    **watching(browser, base, effort.choose(2, 4)),
                    **comparing(browser, base, effort.choose(3, 6), effort.choose(4, 12)),
                }
            )
            tell(", ".join(f"{name} {value:.4g}" for name, value in rounds[-1].items()))
        browser.close()
    figures = [
        Figure(name=name, unit=unit, values=[size / 1000] * effort.rounds)
        for name, unit, size in (
            ("JavaScript, gzipped", "kB", zipped_bytes("*.js")),
            ("JavaScript and one language's texts, gzipped", "kB", zipped_bytes("*.js") + texts_bytes()),
        )
    ]
    return figures + [
        Figure(name=name, unit=UNITS[name], values=[one[name] for one in rounds]) for name in rounds[0]
    ]


UNITS: Final = {
    "first view": "ms",
    "four sessions at 10x, all of Chromium": "%",
    "four sessions at 10x, its renderer": "%",
    "four sessions at 10x, screen refreshes": "/s",
    "four sessions at 10x, long tasks": "/s",
    "four sessions at 10x, longest task": "ms",
    "layout shift, Watch": "",
    "layout shift, Compare": "",
    "heap growth": "kB a minute",
}


def zipped_bytes(pattern: str) -> int:
    """Return the gzipped size in bytes of the page's files of this kind."""
    return sum(len(gzip.compress(path.read_bytes(), 9)) for path in PAGE.rglob(pattern))


def texts_bytes() -> int:
    """Return the gzipped size in bytes of the largest language's texts: a reader loads those of one."""
    return max((len(gzip.compress(path.read_bytes(), 9)) for path in PAGE.rglob("*.json")), default=0)


def first_view(browser: Browser, base: str) -> float:
    """Return the milliseconds from request to the world on screen, in a fresh browser context."""
    page = open_page(browser, base, 1440, 900, FIRST_VIEW)
    page.wait_for_function("() => window.firstView !== null")
    found = float(page.evaluate("window.firstView"))
    page.context.close()
    return found


def open_page(browser: Browser, address: str, width: int, height: int, script: str = "") -> Page:
    """Open an address in a fresh browser context, with a script that runs before the page's own."""
    context = browser.new_context(viewport={"width": width, "height": height})
    if script:
        context.add_init_script(script)
    page = context.new_page()
    page.goto(address)
    page.locator(".agent").first.wait_for()
    return page


def watching(browser: Browser, base: str, seconds: float) -> dict[str, float]:
    """Return how far the layout of Watch shifts while a session plays."""
    page = open_page(browser, f"{base}/?speed=10", *TALL)
    page.keyboard.press(" ")
    watched = watch(page, seconds)
    page.context.close()
    return {"layout shift, Watch": watched["shift"]}


def watch(page: Page, seconds: float) -> Any:
    """Return the shifts and the long tasks of some seconds of play."""
    page.wait_for_timeout(1000)
    page.evaluate(WATCH)
    page.wait_for_timeout(seconds * 1000)
    return page.evaluate("window.watched")


def comparing(browser: Browser, base: str, seconds: float, growing: float) -> dict[str, float]:
    """Return what four sessions at 10x cost the browser, and what they do to the page."""
    page = compare(browser, base, 1920, 1080)
    page.wait_for_timeout(2000)
    shares, span = spend(page, seconds)
    page.evaluate(REFRESHES)
    page.wait_for_timeout(seconds * 500)
    refreshes = page.evaluate("window.refreshes") / (seconds / 2)
    page.context.close()
    # Again, with what watches: in a window in which all of it is seen.
    page = compare(browser, base, *TALL)
    watched = watch(page, seconds)
    growth = heap_growth(page, growing)
    page.context.close()
    name = "four sessions at 10x, "
    return {
        name + "all of Chromium": 100 * sum(shares.values()) / span,
        name + "its renderer": 100 * shares.get("renderer", 0.0) / span,
        name + "screen refreshes": refreshes,
        name + "long tasks": len(watched["tasks"]) / seconds,
        name + "longest task": max(watched["tasks"], default=0.0),
        "layout shift, Compare": watched["shift"],
        "heap growth": growth,
    }


def compare(browser: Browser, base: str, width: int, height: int) -> Page:
    """Open four sessions side by side, playing at 10x."""
    page = open_page(browser, f"{base}/?view=compare&speed=10", width, height)
    add = page.get_by_role("button", name="Add a model")
    page.locator("article .agent").nth(2).wait_for()
    while page.locator("article").count() < SESSIONS:
        add.click()
    page.locator("article .agent").nth(SESSIONS - 1).wait_for()
    page.get_by_role("button", name="Start all").click()
    return page


def spend(page: Page, seconds: float) -> tuple[dict[str, float], float]:
    """Return the processor seconds of each kind of Chromium process, and how long they were measured."""
    before, started = chromium_seconds(), time.perf_counter()
    page.wait_for_timeout(seconds * 1000)
    after, ended = chromium_seconds(), time.perf_counter()
    return {kind: after[kind] - before.get(kind, 0.0) for kind in after}, ended - started


def chromium_seconds() -> dict[str, float]:
    """Return the processor seconds so far of each kind of Chromium process."""
    spent: dict[str, float] = {}
    for process in psutil.Process().children(recursive=True):
        try:
            command = process.cmdline()
            if not command or "chrom" not in Path(command[0].split()[0]).name:
                continue
            words = " ".join(command).split()
            kinds = [word.removeprefix("--type=") for word in words if word.startswith("--type=")]
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        kind = kinds[0] if kinds else "browser"
        spent[kind] = spent.get(kind, 0.0) + times.user + times.system
    return spent


def heap_growth(page: Page, seconds: float) -> float:
    """Return by how many kB a minute the page's JavaScript heap grows, by least squares over six samples."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    session.send("HeapProfiler.enable")

    def sample() -> float:
        session.send("HeapProfiler.collectGarbage")
        metrics = session.send("Performance.getMetrics")["metrics"]
        return float(next(metric["value"] for metric in metrics if metric["name"] == "JSHeapUsedSize"))

    return slope(sample, lambda: page.wait_for_timeout(seconds * 1000 / 5)) * 60 / 1000


def slope(sample: Callable[[], float], wait: Callable[[], None], samples: int = 6) -> float:
    """Return the growth a second of what is sampled between waits."""
    times, values = [], []
    for index in range(samples):
        if index > 0:
            wait()
        times.append(time.perf_counter())
        values.append(sample())
    return statistics.linear_regression(times, values).slope
