"""Which pages may connect: the `Origin` that browsers send, against the list of the settings."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

# What a browser sends (RFC 6454, section 6.2), and nothing that two readers could take for two hosts.
_ORIGIN: Final = re.compile(
    r"([A-Za-z][A-Za-z0-9+.-]*)://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?", re.ASCII
)
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class Origins:
    """The origins (RFC 6454) whose pages may connect; "*" among them allows every one.

    A request without an `Origin` is a script's, not a page's, and allowed: the rule keeps foreign pages from
    using the browser of someone who can reach the server, and a script needs no browser for that.
    """

    def __init__(self, allowed: Iterable[str]) -> None:
        names = set(allowed)
        self.any: Final = "*" in names
        # A setting may have been copied from an address bar, with its slash.
        self._allowed = {_normalised(name.strip().removesuffix("/")) for name in names}

    def allow(self, origins: Sequence[str]) -> bool:
        """Whether a request with these values of `Origin` may pass; more than one must all be allowed."""
        return self.any or all(_normalised(origin) in self._allowed for origin in origins)


def _normalised(origin: str) -> str:
    """Scheme and host in lower case, without the scheme's own port; what is no origin stays as it is."""
    parts = _ORIGIN.fullmatch(origin)
    if parts is None:
        return origin
    scheme, host, port = parts.groups()
    is_usual = port is None or int(port) == _DEFAULT_PORTS.get(scheme.lower())
    return f"{scheme}://{host}".lower() + ("" if is_usual else f":{int(port)}")
