"""Check the `Origin` that browsers send against the list in the settings."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

# What a browser sends (RFC 6454, section 6.2), and nothing that two parsers could read as different hosts.
_ORIGIN: Final = re.compile(
    r"([A-Za-z][A-Za-z0-9+.-]*)://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?", re.ASCII
)
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class Origins:
    """Hold the origins (RFC 6454) whose pages may connect; "*" allows every origin.

    A request without an `Origin` comes from a script, not a page, and is allowed: the rule keeps foreign
    pages from using the browser of a person who can reach the server, and a script uses no browser.
    """

    def __init__(self, allowed: Iterable[str]) -> None:
        names = set(allowed)
        self.any: Final = "*" in names
        # A setting may have been copied from an address bar, with its slash.
        self._allowed = {_normalised(name.strip().removesuffix("/")) for name in names}

    def allow(self, origins: Sequence[str]) -> bool:
        """Return whether a request with these values of `Origin` may pass; all of them must be allowed."""
        return self.any or all(_normalised(origin) in self._allowed for origin in origins)


def _normalised(origin: str) -> str:
    """Return scheme and host in lower case, without the default port; anything else is unchanged."""
    parts = _ORIGIN.fullmatch(origin)
    if parts is None:
        return origin
    scheme, host, port = parts.groups()
    is_usual = port is None or int(port) == _DEFAULT_PORTS.get(scheme.lower())
    return f"{scheme}://{host}".lower() + ("" if is_usual else f":{int(port)}")
