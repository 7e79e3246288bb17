"""Five hundred sessions of every kind and a real browser over two instances, one of which is killed."""

import re
import signal
import threading
from functools import partial

import pytest
import trio
from playwright.sync_api import WebSocket, expect, sync_playwright

from bench.page.measuring import FLAGS
from tests.e2e_nginx.client import trusting_flags
from tests.e2e_nginx.proxy import Proxy
from tests.e2e_page.conftest import BrowserUser, built_page, chromium
from tests.e2e_page.seen import expect_connected, expect_step_above, fact, number
from tests.e2e_redis.conftest import Pair
from tests.e2e_redis.pupil import Habit, Pupil, acts, doors, plays, rewinds, waits, watches
from tests.patience import PATIENCE
from tests.web.wire import request

__all__ = ["built_page"]

SESSIONS = 500
THINKING = 1.0  # seconds of a person between two actions, so that this one process can read what all are sent


class BrowserLife:
    """What a page in a real browser saw: it plays, loses its instance, and plays on.

    Attributes:
        plays, was_killed: what its thread and the test tell each other.
        resumed: the messages by which its session went on.
    """

    def __init__(self, proxy: Proxy) -> None:
        self.plays = threading.Event()
        self.was_killed = threading.Event()
        self.resumed: list[str] = []
        self._proxy = proxy

    def live(self) -> None:
        """Play through the kill; Playwright stays in one thread."""
        program = chromium()
        with sync_playwright() as playwright:
            flags = [*FLAGS, *trusting_flags(self._proxy)]
            browser = playwright.chromium.launch(executable_path=program, args=flags)
            visitor = BrowserUser(browser, f"https://{self._proxy.name}:{self._proxy.port}")
            visitor.excuse("WebSocket", "Failed to load resource")  # of the instance that is killed
            page = visitor.context().new_page()
            page.on("websocket", self._listen)
            page.goto(f"https://{self._proxy.name}:{self._proxy.port}/")
            expect_connected(page)
            page.get_by_role("button", name="Start", exact=True).click()
            expect_step_above(page, 3)
            with page.expect_websocket(lambda socket: socket.url.endswith("/ws")) as again:
                self.plays.set()
                assert self.was_killed.wait(PATIENCE)
            if not self.resumed:
                again.value.wait_for_event("framereceived", _goes_on)
            expect(fact(page, "Step")).not_to_have_text(str(int(number(page, "Step"))))
            expect(page.get_by_role("button", name="Pause")).to_be_visible()
            visitor.leave()
            browser.close()

    def _listen(self, socket: WebSocket) -> None:
        socket.on("framereceived", self._hear)

    def _hear(self, text: str | bytes) -> None:
        if _goes_on(text):
            self.resumed.append(str(text))


def _goes_on(text: str | bytes) -> bool:
    return isinstance(text, str) and '"session_resumed"' in text


async def sessions_at(port: int) -> int:
    """How many sessions play at this instance."""
    text = (await request(port, "GET /metrics")).body.decode()
    (value,) = re.findall(r"^hamlet_inference_sessions (\S+)$", text, re.M)
    return int(float(value))


def everybody(pair: Pair) -> list[Pupil]:
    """Pupils of all kinds, half of them at each instance."""
    some: list[Habit] = [*[acts] * 30, *[waits] * 20, *[rewinds] * 20, *[watches] * 20]
    kinds: list[Habit] = [*some, *[partial(plays, speed=0.2)] * (SESSIONS - len(some))]
    return [
        Pupil(
            doors(pair.ports, number % 2),
            habit,
            acts=(0, 3, 4, 1, 2) if habit is acts else (),
            thinking=THINKING,
        )
        for number, habit in enumerate(kinds)
    ]


@pytest.mark.long
async def test_500_sessions_survive_a_kill(
    pair: Pair, proxy: Proxy, built_page: None, capsys: pytest.CaptureFixture[str]
) -> None:
    life = BrowserLife(proxy)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.to_thread.run_sync, life.live)
        assert await trio.to_thread.run_sync(life.plays.wait, PATIENCE)
        victim = [await sessions_at(port) for port in pair.ports].index(1)
        pupils = everybody(pair)
        async with trio.open_nursery() as playing:
            for pupil in pupils:
                playing.start_soon(pupil.live)
            for pupil in pupils:
                await pupil.until(lambda one: one.number >= 8)
            for pupil in pupils:
                if pupil.is_to_watch:
                    await pupil.until(lambda one: one.replayed is not None)
            pair.servers[victim].signal(signal.SIGKILL)
            await trio.to_thread.run_sync(pair.servers[victim].wait)
            life.was_killed.set()
            for pupil in pupils[victim::2]:
                await pupil.until(lambda one: bool(one.resumed))
            wanted = {pupil: pupil.number + 5 for pupil in pupils if pupil.moves}
            for pupil in wanted:
                await pupil.until(lambda one: one.number >= wanted[one])
            playing.cancel_scope.cancel()
    compared = sum(pupil.check() for pupil in pupils)
    assert all(pupil.begun_anew == [] for pupil in pupils)
    assert len(life.resumed) == 1
    away = sorted(away for pupil in pupils for away in pupil.away)
    assert len(away) == SESSIONS // 2
    middle, nearly_all, most = away[len(away) // 2], away[len(away) * 99 // 100], away[-1]
    with capsys.disabled():
        print(
            f"\n{SESSIONS} sessions and a browser: {compared} steps compared; away {middle:.2f} s, "
            f"99 % {nearly_all:.2f} s, at most {most:.2f} s"
        )
