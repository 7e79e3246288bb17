"""The ASGI app for the `hypercorn` command, behind the same guard as `hamlet serve`.

hypercorn -k trio -c deploy/hypercorn.toml hamlet_trio.asgi:app
"""

from hamlet_trio.logs import configure_logging
from hamlet_trio.settings import SettingsError, load_settings
from hamlet_trio.web.app import create_app
from hamlet_trio.web.process_setup import gather_library_logs
from hamlet_trio.web.serve import serve_hypercorns_way

try:
    _settings = load_settings()
    configure_logging(_settings)
    gather_library_logs()
    app = create_app(_settings)
except SettingsError as error:
    raise SystemExit(f"hamlet: {error}") from None
serve_hypercorns_way(app)
