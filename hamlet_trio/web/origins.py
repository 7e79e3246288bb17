"""Which pages may connect: the `Origin` that browsers send, against the list of the settings."""

from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import urlsplit

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class Origins:
    """The origins (RFC 6454) whose pages may connect; "*" among them allows every one.

    A request without an `Origin` is a script's, not a page's, and allowed: the rule keeps foreign pages from
    using the browser of someone who can reach the server, and a script needs no browser for that.
    """

    def __init__(self, allowed: Iterable[str]) -> None:
        names = set(allowed)
        self.any: Final = "*" in names
        self._allowed = {_normalised(name) for name in names}

    def allow(self, origins: Sequence[str]) -> bool:
        """Whether a request with these values of `Origin` may pass; more than one must all be allowed."""
        return self.any or all(_normalised(origin) in self._allowed for origin in origins)


def _normalised(origin: str) -> str:
    """Scheme and host in lower case, without the scheme's own port; what is no origin stays as it is."""
    try:
        parts = urlsplit(origin.strip())
        port = parts.port
    except ValueError:
        return origin
    if not parts.hostname:
        return origin
    shown = "" if port in (None, _DEFAULT_PORTS.get(parts.scheme)) else f":{port}"
    return f"{parts.scheme}://{parts.hostname}{shown}"
