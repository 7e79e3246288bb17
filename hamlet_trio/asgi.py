"""Provide the ASGI app for the `hypercorn` command, behind the same guard as `hamlet serve`.

hypercorn -k trio -c deploy/hypercorn.toml hamlet_trio.asgi:app
"""

from hamlet_trio.common.standard_streams import open_standard_streams
from hamlet_trio.logs import configure_logging
from hamlet_trio.settings import SettingsError, load_settings
from hamlet_trio.web.app import create_app
from hamlet_trio.web.process_setup import capture_library_logs, warn_of_unknown_variables
from hamlet_trio.web.serve import install_hypercorn_worker

open_standard_streams()
try:
    _settings = load_settings()
    configure_logging(_settings)
    capture_library_logs()
    warn_of_unknown_variables()
    app = create_app(_settings)
except SettingsError as error:
    raise SystemExit(f"hamlet: {error}") from None
install_hypercorn_worker(app)
