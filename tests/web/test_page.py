"""The page: the built one where it is installed, else the small one."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from quart import Response
from werkzeug.exceptions import NotFound

from hamlet_trio.web.app import HamletApp
from hamlet_trio.web.page import BuiltPage, small_page
from hamlet_trio.web.responses import ActiveSessions, Endpoints, ServiceResponse
from hamlet_trio.web.routes import make_routes
from tests.web.conftest import make_app

ANSWER = ServiceResponse("running", "Hamlet", "2.0.0", Endpoints(), ActiveSessions(3, 2), False)


async def text_of(response: Response) -> str:
    """The body as text."""
    return await response.get_data(as_text=True)


async def test_the_small_page_says_what_runs_and_how_to_connect(app: HamletApp) -> None:
    async with app.app_context():
        response = small_page(ANSWER, ["a.pt", "b.pt"], is_ready=True, origin="https://hamlet.example.org")
    page = await text_of(response)
    assert "wss://hamlet.example.org/ws/training" in page
    assert "3 watching an agent, 2 watching training" in page
    assert "a.pt, b.pt" in page
    assert "script-src" not in response.headers["Content-Security-Policy"]
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")


async def test_the_small_page_is_whole_and_needs_nothing_from_elsewhere(app: HamletApp) -> None:
    async with app.app_context():
        page = await text_of(small_page(ANSWER, [], is_ready=False, origin="http://localhost:8765"))
    open_tags: list[str] = []

    class Checker(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            if tag not in {"meta", "link", "br"}:
                open_tags.append(tag)
            assert tag not in {"script", "img", "link"}
            assert not any(name == "href" and (value or "").startswith("http") for name, value in attrs)

        def handle_endtag(self, tag: str) -> None:
            assert open_tags.pop() == tag

    Checker().feed(page)
    assert open_tags == []
    assert '<html lang="en">' in page
    assert 'name="viewport"' in page
    assert "prefers-color-scheme: dark" in page
    assert len(re.findall(r"<h1>", page)) == 1
    assert "$" not in page


async def test_a_host_cannot_smuggle_markup_into_the_small_page(app: HamletApp) -> None:
    async with app.app_context():
        page = await text_of(small_page(ANSWER, ["<b>.pt"], is_ready=True, origin='http://"><script>'))
    assert "<script" not in page
    assert "<b>" not in page


@pytest.fixture
def built(tmp_path: Path) -> BuiltPage:
    """A page as a build step leaves it."""
    (tmp_path / "page" / "assets").mkdir(parents=True)
    (tmp_path / "page" / "index.html").write_text("<!doctype html><title>built</title>")
    (tmp_path / "page" / "assets" / "index-abc.js").write_text("export {}")
    (tmp_path / "page" / "favicon.svg").write_text("<svg/>")
    (tmp_path / "secret.txt").write_text("secret")
    return BuiltPage(tmp_path / "page")


def app_with(page: BuiltPage, folder: Path) -> HamletApp:
    """An app that serves this page."""
    whole = make_app(folder)
    app = HamletApp(whole.server.settings)
    app.register_blueprint(make_routes(app.server, page))
    return app


async def test_a_built_page_takes_the_small_ones_place(built: BuiltPage, tmp_path: Path) -> None:
    client = app_with(built, tmp_path).test_client()
    index = await client.get("/", headers={"Accept": "text/html"})
    assert "built" in await text_of(index)
    assert index.headers["Cache-Control"] == "no-cache"
    assert "default-src 'self'" in index.headers["Content-Security-Policy"]
    script = await client.get("/assets/index-abc.js")
    assert (await text_of(script), script.mimetype) == ("export {}", "text/javascript")
    assert script.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    icon = await client.get("/favicon.svg")
    assert (icon.mimetype, icon.headers["Cache-Control"]) == ("image/svg+xml", "no-cache")
    assert (await client.get("/")).mimetype == "application/json"


@pytest.mark.parametrize("name", ["../secret.txt", "..%2fsecret.txt", "/etc/passwd", "assets", "nothing.js"])
async def test_nothing_but_the_pages_files_is_served(name: str, built: BuiltPage, tmp_path: Path) -> None:
    response = await app_with(built, tmp_path).test_client().get(f"/{name}")
    assert response.status_code == 404
    with pytest.raises(NotFound):
        await built.file("../secret.txt")


async def test_without_a_built_page_its_files_are_not_found(tmp_path: Path) -> None:
    page = BuiltPage(tmp_path / "none")
    client = app_with(page, tmp_path).test_client()
    assert (await client.get("/favicon.svg")).status_code == 404
    small = await text_of(await client.get("/", headers={"Accept": "text/html", "Host": "hamlet.test:1"}))
    assert "Hamlet is running" in small
    assert "<code>ws://hamlet.test:1/ws</code>" in small


async def test_the_small_page_names_the_address_before_a_proxy(tmp_path: Path) -> None:
    client = app_with(BuiltPage(tmp_path / "none"), tmp_path).test_client()
    headers = {"Accept": "text/html", "Host": "hamlet.test", "X-Forwarded-Proto": "https"}
    assert "<code>wss://hamlet.test/ws</code>" in await text_of(await client.get("/", headers=headers))
    headers["X-Forwarded-Proto"] = "javascript"
    assert "<code>ws://hamlet.test/ws</code>" in await text_of(await client.get("/", headers=headers))
