"""Serve the built page if it is installed, else a small one that explains how to connect."""

from pathlib import Path
from string import Template
from typing import Final

from markupsafe import escape
from quart import Response
from quart.helpers import send_from_directory
from werkzeug.exceptions import NotFound

from hamlet_trio.web.responses import ServiceResponse

BUILT_PAGE: Final = Path(__file__).parent / "page"
"""Where the build step puts the page: `index.html` and the files it refers to."""

_A_YEAR: Final = 31_536_000
BUILT_POLICY: Final = (
    "default-src 'self'; connect-src 'self' ws: wss:; object-src 'none'; base-uri 'self'; "
    "form-action 'self'; frame-ancestors 'self'"
)
_SMALL_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'self'"
)


class BuiltPage:
    """Serve the page's static files. Those under `assets/` are named by content hash and cached for good."""

    def __init__(self, folder: Path = BUILT_PAGE) -> None:
        self._folder = folder

    @property
    def is_installed(self) -> bool:
        """Return whether a page is installed."""
        return (self._folder / "index.html").is_file()

    async def index(self) -> Response:
        """Return the page itself."""
        return await self.file("index.html")

    async def file(self, name: str) -> Response:
        """Return one of the page's files; raise `NotFound` for any other name."""
        try:
            response = await send_from_directory(self._folder, name)
        except OSError as error:  # such as a name longer than the file system's
            raise NotFound from error
        is_kept = name.startswith("assets/")
        if name == "index.html":
            response.headers["Content-Security-Policy"] = BUILT_POLICY
        response.headers["Cache-Control"] = f"public, max-age={_A_YEAR}, immutable" if is_kept else "no-cache"
        return response


_SMALL_PAGE: Final = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Hamlet Metaserver</title>
<style>
:root { color-scheme: light dark; --ink: #1d2430; --paper: #fbfaf7; --line: #d9d4c8; --mark: #8a3b12; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8e6e1; --paper: #15181d; --line: #3a404a; --mark: #f0a878; }
}
body { margin: 0 auto; max-width: 44rem; padding: 1.5rem 1rem 3rem;
  background: var(--paper); color: var(--ink); font: 1rem/1.55 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
a { color: var(--mark); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.25rem; margin: 0; }
dd { margin: 0; }
code, pre { font: .9rem/1.5 ui-monospace, monospace; }
pre { border: 1px solid var(--line); border-radius: .4rem; padding: .75rem; overflow-x: auto; }
</style>
</head>
<body>
<main>
<h1>Hamlet is running</h1>
<p>This server lets you watch trained agents live, and a new one learn, over WebSockets.</p>
<h2>Now</h2>
<dl>
<dt>Version</dt><dd>$version</dd>
<dt>Inference</dt><dd>$inference</dd>
<dt>Sessions</dt><dd>$sessions watching an agent, $viewers watching training</dd>
<dt>Training</dt><dd>$training</dd>
<dt>Models</dt><dd>$models</dd>
</dl>
<h2>Connect</h2>
<dl>
<dt>Watch an agent</dt><dd><code>$socket/ws</code></dd>
<dt>Train, or watch</dt><dd><code>$socket/ws/training</code></dd>
</dl>
<p>Send JSON commands in text frames, from a script or a browser's console:</p>
<pre tabindex="0" aria-label="Example"><code>const socket = new WebSocket("$socket/ws");
socket.onmessage = (event) =&gt; console.log(JSON.parse(event.data));
socket.onopen = () =&gt; socket.send(JSON.stringify({ command: "play" }));</code></pre>
<h2>Look</h2>
<ul>
<li><a href="/api/status">Status</a>, <a href="/api/models">models</a>, <a href="/api/failures">failures</a>
and their <a href="/api/failure_summary">summary</a></li>
<li><a href="/api/schema">Every message, as JSON Schema</a></li>
<li><a href="/readyz">Readiness</a> and <a href="/metrics">metrics</a></li>
</ul>
</main>
</body>
</html>
""")


def small_page(answer: ServiceResponse, models: list[str], *, is_ready: bool, origin: str) -> Response:
    """Return a page without scripts that says what is running and how to connect.

    `origin` is the address the browser used, such as "http://localhost:8765".
    """
    values = {
        "version": answer.version,
        "inference": "ready" if is_ready else "starting; sessions wait a moment for their first frame",
        "sessions": answer.active_sessions.inference,
        "viewers": answer.active_sessions.training,
        "training": "a run is on" if answer.training_active else "no run",
        "models": ", ".join(models) or "none yet: an untrained agent plays",
        "socket": origin.replace("http", "ws", 1),
    }
    html = _SMALL_PAGE.substitute({name: escape(value) for name, value in values.items()})
    response = Response(html, content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = _SMALL_POLICY
    response.headers["Cache-Control"] = "no-store"
    return response
