"""Run a real Chromium against a real server."""

import importlib.util
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    expect,
    sync_playwright,
)

from bench.page.measuring import FLAGS
from hamlet_trio.agent.checkpoint import Checkpoint, CheckpointMetadata, save_checkpoint
from hamlet_trio.agent.names import NetworkType
from hamlet_trio.agent.networks import build_network
from tests.e2e.conftest import ROOT, Server, launch
from tests.e2e_page.past_runs import write_past
from tests.needs import left_out
from tests.patience import PATIENCE

# Where a browser stores nothing, each visit is the first.
VISITED: Final = "try { localStorage.setItem('hamlet.visited', 'true') } catch { /* forbidden */ }"
PATIENCE_MS: Final = PATIENCE * 1000

expect.set_options(timeout=PATIENCE_MS)


def page_tooling() -> ModuleType:
    """Import frontend/tooling.py, which belongs to no package."""
    spec = importlib.util.spec_from_file_location("tooling", ROOT / "frontend" / "tooling.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def built_page() -> None:
    """Build the page from its current sources."""
    tooling = page_tooling()
    try:
        tooling.build()
    except tooling.UnavailableError as error:
        left_out(f"the page: {error}")


# Longer than what a person would write: the page has to have the room.
STORY: dict[str, Any] = {
    "title": "The best of all: it has a round of errands, keeps to it, and lives to the last step",
    "story": "Trained for a thousand episodes. " * 6,
    "watch_for": "It goes to a place before the meter is low.",
}


@pytest.fixture(scope="session")
def page_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Save models of each stage; random weights are enough to show them."""
    import torch

    folder = tmp_path_factory.mktemp("page_models")
    # Steps survived from the usual start and from random ones: those of the shipped models.
    kinds: dict[str, tuple[NetworkType, int, int, int]] = {
        "trained_agent.pt": ("dueling", 1000, 500, 438),
        "checkpoint_ep50.pt": ("qnetwork", 50, 76, 47),
        "checkpoint_ep455.pt": ("relational", 455, 462, 84),
        "checkpoint_ep1000.pt": ("spatial", 1000, 500, 137),
    }
    for seed, (name, (kind, episode, usual, random)) in enumerate(kinds.items()):
        network = build_network(kind, 72, 5, 8, 8, generator=torch.Generator().manual_seed(seed))
        told = STORY if name == "trained_agent.pt" else {}
        metadata = CheckpointMetadata(
            network_type=kind,
            episode=episode,
            evaluation={"mean_length": usual, "mean_return": 2.0 * usual - 200},
            evaluation_random={"mean_length": random, "mean_return": 2.0 * random - 200},
            **told,
        )
        save_checkpoint(folder / name, Checkpoint(network=network, metadata=metadata))
    (folder / "damaged.pt").write_bytes(b"not a checkpoint")
    return folder


StartPageServer = Callable[..., Server]


@contextmanager
def starting(models: Path, folders: pytest.TempPathFactory) -> Iterator[StartPageServer]:
    """Give a function that starts servers with these models; they are ended with the context."""
    servers: list[Server] = []

    def start(**settings: object) -> Server:
        # A copy, since a training run saves among the models.
        own_models = folders.mktemp("models")
        shutil.copytree(models, own_models, dirs_exist_ok=True)
        own: dict[str, object] = {"models_dir": own_models, "data_dir": folders.mktemp("data")} | settings
        server = launch({f"HAMLET_{name.upper()}": str(value) for name, value in own.items()})
        servers.append(server)
        server.port = server.wait_for("listening")["port"]
        server.wait_for("inference_ready")
        return server

    try:
        yield start
    finally:
        for server in servers:
            server.end()


@pytest.fixture(scope="module")
def start_page_server(
    built_page: None, page_models: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StartPageServer]:
    """Return a function that starts a server with its own settings, `start_page_server(max_sessions=1)`."""
    with starting(page_models, tmp_path_factory) as start:
        yield start


@pytest.fixture(scope="session")
def shared_page_server(
    built_page: None, page_models: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """Start one server for every test that leaves it unchanged."""
    with starting(page_models, tmp_path_factory) as start:
        yield start()


@pytest.fixture(scope="module")
def server(shared_page_server: Server) -> Server:
    """Return that server; a module whose tests record, play for the leaderboard or meet has its own."""
    return shared_page_server


@pytest.fixture(scope="module")
def module_server(start_page_server: StartPageServer) -> Server:
    """Start a server for one module."""
    return start_page_server()


def chromium() -> str:
    """Return the path of the installed Chromium, if there is a choice of the one that has no windows.

    Each page of the other one also makes a toolbar, which takes longer than most pages.
    """
    names = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
    program = next((path for name in names if (path := shutil.which(name))), None)
    if program is None:
        left_out("the page's tests in a browser need Chromium: apt-get install chromium-headless-shell")
    assert program is not None
    return program


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Launch the installed Chromium."""
    program = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


class BrowserUser:
    """Open pages in one person's browser, and check that none of them reports an error.

    Console errors and warnings, uncaught exceptions and failed requests are kept in `complaints`; `excuse`
    names parts of those that a test causes on purpose.
    """

    def __init__(self, browser: Browser, base: str) -> None:
        self._browser = browser
        self._base = base
        self._contexts: list[BrowserContext] = []
        # What the browser says of a view that is left while it still connects, which is no fault.
        self._excused = ["WebSocket is closed before the connection is established"]
        self.complaints: list[str] = []

    def context(self, *, newcomer: object = False, **options: object) -> BrowserContext:
        """Make a browser context that shares storage and sockets with no other; it has been here before."""
        size = {"width": 1440, "height": 900}
        context = self._browser.new_context(**{"viewport": size, "reduced_motion": "reduce"} | options)  # type: ignore[arg-type]
        context.set_default_timeout(PATIENCE_MS)
        if not newcomer:
            context.add_init_script(VISITED)
        self._contexts.append(context)
        return context

    def open(self, address: str = "", context: BrowserContext | None = None, **options: object) -> Page:
        """Open the page at an address such as `?view=train`; motion is reduced unless a test wants it."""
        page = (context or self.context(**options)).new_page()
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))
        page.on("requestfailed", self._failed)
        page.goto(f"{self._base}/{address}")
        return page

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(f"{message.type}: {message.text}")

    def _failed(self, request: Request) -> None:
        # A request that the browser cancels when the person navigates away has not failed.
        if request.failure != "net::ERR_ABORTED":
            self.complaints.append(f"failed: {request.url} {request.failure}")

    def excuse(self, *parts: str) -> None:
        """Expect complaints that contain one of these parts."""
        self._excused += parts

    def leave(self) -> None:
        """Close everything; fail if a page complained."""
        for context in self._contexts:
            context.close()
        left = [text for text in self.complaints if not any(part in text for part in self._excused)]
        assert not left, left


@pytest.fixture
def user(browser: Browser, server: Server) -> Iterator[BrowserUser]:
    """Return a user of the module's server."""
    assert server.process.poll() is None, server.output()
    user = BrowserUser(browser, f"http://127.0.0.1:{server.port}")
    yield user
    assert server.process.poll() is None, server.output()
    user.leave()


@pytest.fixture
def own_server(start_page_server: StartPageServer) -> Iterator[Server]:
    """Start a server for one test, which saves or trains: there is one run per server."""
    server = start_page_server()
    yield server
    server.end()


@pytest.fixture(scope="module")
def past_server(
    start_page_server: StartPageServer, page_models: Path, tmp_path_factory: pytest.TempPathFactory
) -> Server:
    """Start a server that remembers three runs, two of them under the usual reward."""
    folder = tmp_path_factory.mktemp("past")
    write_past(folder, page_models / "checkpoint_ep1000.pt")
    return start_page_server(data_dir=folder)


@pytest.fixture
def teacher(browser: Browser, own_server: Server) -> Iterator[BrowserUser]:
    """Return a user of that server."""
    user = BrowserUser(browser, f"http://127.0.0.1:{own_server.port}")
    yield user
    user.leave()
