"""Measure the page: bytes, first view, drawing with four compared sessions at 10x, memory over minutes.

A real headless Chromium before a real server. Processor time is that of all of Chromium's processes (browser,
renderer, compositor, network), as a share of one core; the server's own is not in it.
"""

import argparse
import gzip
import json
import platform
import shutil
import statistics
import time
from pathlib import Path
from typing import Any, Final

import psutil
from playwright.sync_api import Browser, CDPSession, Page, sync_playwright
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench import REPOSITORY
from bench.server import running_server

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
# Counts what the page is given and how often the screen is refreshed, from before its first line runs.
PROBE: Final = """
window.probe = { messages: 0, refreshes: 0, gaps: [], firstView: null };
const Socket = window.WebSocket;
window.WebSocket = class extends Socket {
  constructor(url) { super(url); this.addEventListener('message', () => { window.probe.messages += 1; }); }
};
let last = null;
const refreshed = (now) => {
  window.probe.refreshes += 1;
  if (last !== null) window.probe.gaps.push(now - last);
  last = now;
  requestAnimationFrame(refreshed);
};
window.addEventListener('DOMContentLoaded', () => {
  const seen = new MutationObserver(() => {
    if (document.querySelector('.agent') === null) return;
    seen.disconnect();
    requestAnimationFrame(() => requestAnimationFrame((now) => { window.probe.firstView = now; }));
  });
  seen.observe(document, { childList: true, subtree: true });
});
window.startProbe = () => {
  if (last === null) requestAnimationFrame(refreshed);
  Object.assign(window.probe, { messages: 0, refreshes: 0, gaps: [] });
};
"""


def script_bytes() -> tuple[int, int]:
    """Return the size of all delivered JavaScript in bytes: raw and gzipped."""
    texts = [path.read_bytes() for path in PAGE.rglob("*.js")]
    return sum(map(len, texts)), sum(len(gzip.compress(text, 9)) for text in texts)


def first_views(browser: Browser, base: str, rounds: int) -> list[float]:
    """Return the milliseconds from request to the world on screen, each in a fresh browser context."""
    found = []
    for _ in track(range(rounds), "First view"):
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        context.add_init_script(PROBE)
        page = context.new_page()
        page.goto(base)
        page.wait_for_function("() => window.probe.firstView !== null")
        found.append(float(page.evaluate("window.probe.firstView")))
        context.close()
    return found


def comparing(browser: Browser, base: str) -> Page:
    """Open four sessions side by side, playing at 10x."""
    context = browser.new_context(viewport={"width": 1920, "height": 1080})
    context.add_init_script(PROBE)
    page = context.new_page()
    page.goto(f"{base}/?view=compare&speed=10")
    add = page.get_by_role("button", name="Add a model")
    page.locator("article .agent").nth(2).wait_for()
    while page.locator("article").count() < SESSIONS:
        add.click()
    page.locator("article .agent").nth(SESSIONS - 1).wait_for()
    page.get_by_role("button", name="Start all").click()
    return page


def chromium_seconds() -> dict[str, float]:
    """Return the processor seconds so far of each kind of Chromium process."""
    spent: dict[str, float] = {}
    for process in psutil.Process().children(recursive=True):
        try:
            command = process.cmdline()
            if not command or "chrom" not in Path(command[0].split()[0]).name:
                continue
            kinds = [
                part.removeprefix("--type=")
                for part in " ".join(command).split()
                if part.startswith("--type=")
            ]
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        kind = kinds[0] if kinds else "browser"
        spent[kind] = spent.get(kind, 0.0) + times.user + times.system
    return spent


def drawing(page: Page, seconds: float) -> dict[str, Any]:
    """Measure refreshes, their gaps, messages and processor share of four sessions over some seconds."""
    page.evaluate("window.startProbe()")
    before, started = chromium_seconds(), time.perf_counter()
    page.wait_for_timeout(seconds * 1000)
    after, ended = chromium_seconds(), time.perf_counter()
    probe = page.evaluate("window.probe")
    span = ended - started
    gaps = sorted(probe["gaps"])
    return {
        "refreshes_per_second": probe["refreshes"] / span,
        "gap_p99_ms": gaps[int(len(gaps) * 0.99)],
        "gap_longest_ms": gaps[-1],
        "messages_per_second": probe["messages"] / span,
        "cores": {kind: (after[kind] - before.get(kind, 0.0)) / span for kind in sorted(after)},
    }


def heap_bytes(session: CDPSession) -> int:
    """Return the size of the page's JavaScript heap after a collection."""
    session.send("HeapProfiler.collectGarbage")
    metrics = session.send("Performance.getMetrics")["metrics"]
    return int(next(metric["value"] for metric in metrics if metric["name"] == "JSHeapUsedSize"))


def memory(page: Page, minutes: float) -> list[tuple[float, int]]:
    """Sample the heap every half minute while four sessions play: (minutes, bytes)."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    session.send("HeapProfiler.enable")
    started = time.perf_counter()
    samples: list[tuple[float, int]] = []
    for _ in track(range(int(minutes * 2) + 1), "Memory"):
        samples.append(((time.perf_counter() - started) / 60, heap_bytes(session)))
        page.wait_for_timeout(30_000)
    return samples


def growth(samples: list[tuple[float, int]]) -> float:
    """Return the growth in bytes a minute, by least squares over the samples after the first minute."""
    later = [sample for sample in samples if sample[0] >= 1] or samples
    slope, _ = statistics.linear_regression([at for at, _ in later], [size for _, size in later])
    return slope


def report(result: dict[str, Any]) -> Table:
    """Format the figures beside their targets."""
    table = Table(title="The page")
    for column in ("figure", "measured", "target"):
        table.add_column(column)
    draw = result["drawing"]
    rows = [
        ("JavaScript, gzipped", f"{result['script_gzip_bytes'] / 1000:.1f} kB", "under 150 kB"),
        ("first view, median", f"{result['first_view_ms']['median']:.0f} ms", "under 1,000 ms"),
        ("first view, slowest", f"{result['first_view_ms']['slowest']:.0f} ms", ""),
        (f"messages, {SESSIONS} sessions at 10x", f"{draw['messages_per_second']:.0f} a second", ""),
        ("screen refreshes", f"{draw['refreshes_per_second']:.1f} a second", "60"),
        ("gap between refreshes, p99", f"{draw['gap_p99_ms']:.1f} ms", ""),
        ("all of Chromium", f"{100 * sum(draw['cores'].values()):.0f} % of a core", "under 50 %"),
    ]
    rows += [(f"  its {kind} process", f"{100 * share:.0f} %", "") for kind, share in draw["cores"].items()]
    if result["memory"]:
        first, last = result["memory"][0][1], result["memory"][-1][1]
        rows += [
            ("heap at the start and the end", f"{first / 1e6:.1f} and {last / 1e6:.1f} MB", ""),
            ("heap growth", f"{result['heap_growth_bytes_a_minute'] / 1e3:+.1f} kB a minute", "flat"),
        ]
    for row in rows:
        table.add_row(*row)
    return table


def main(arguments: list[str]) -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(prog="python -m bench page", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="first views")
    parser.add_argument("--seconds", type=float, default=20, help="of drawing")
    parser.add_argument("--minutes", type=float, default=10, help="of memory; 0 leaves it out")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    options = parser.parse_args(arguments)
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        parser.exit(1, "Chromium is needed: apt-get install chromium\n")
    if not (PAGE / "index.html").is_file():
        parser.exit(1, "The page is not built: make page\n")
    raw, zipped = script_bytes()
    with running_server() as port, sync_playwright() as playwright:
        base = f"http://127.0.0.1:{port}"
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        views = first_views(browser, base, options.rounds)
        page = comparing(browser, base)
        page.wait_for_timeout(3000)
        result: dict[str, Any] = {
            "machine": f"{platform.machine()}, {psutil.cpu_count()} cores, Chromium {browser.version}",
            "script_bytes": raw,
            "script_gzip_bytes": zipped,
            "first_view_ms": {"median": statistics.median(views), "slowest": max(views)},
            "drawing": drawing(page, options.seconds),
            "memory": memory(page, options.minutes) if options.minutes > 0 else [],
        }
        browser.close()
    if result["memory"]:
        result["heap_growth_bytes_a_minute"] = growth(result["memory"])
    Console().print(report(result))
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")
