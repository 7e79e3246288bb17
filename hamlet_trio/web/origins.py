"""Check the `Origin` that browsers send against the list in the settings."""

from collections.abc import Iterable, Sequence
from typing import Final

from hamlet_trio.settings.safety import ORIGIN

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class Origins:
    """Hold the origins (RFC 6454) whose pages may connect; "*" allows every origin.

    A request without an `Origin` comes from a script, not a page, and is allowed: the rule keeps foreign
    pages from using the browser of a person who can reach the server, and a script uses no browser.
    """

    def __init__(self, allowed: Iterable[str]) -> None:
        names = set(allowed)
        self.any: Final = "*" in names
        self._allowed = {_normalised(name) for name in names}

    def allow(self, origins: Sequence[str]) -> bool:
        """Return whether a request with these values of `Origin` may pass; all of them must be allowed."""
        return self.any or all(_normalised(origin) in self._allowed for origin in origins)


def _normalised(origin: str) -> str:
    """Return scheme and host in lower case, without the default port; anything else is unchanged."""
    parts = ORIGIN.fullmatch(origin)
    if parts is None:
        return origin
    scheme, host, port = parts.groups()
    is_usual = port is None or int(port) == _DEFAULT_PORTS.get(scheme.lower())
    return f"{scheme}://{host}".lower() + ("" if is_usual else f":{int(port)}")
