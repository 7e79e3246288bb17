"""Refuse settings that are unsafe, and those that could only be mistakes."""

import re
from collections.abc import Iterable
from contextlib import suppress
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network
from typing import Final
from urllib.parse import urlsplit

from hamlet_trio.common.text import printable, readable
from hamlet_trio.settings.fields import Settings, SettingsError

ORIGIN: Final = re.compile(
    r"([A-Za-z][A-Za-z0-9+.-]*)://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?", re.ASCII
)
"""An origin as browsers send it (RFC 6454, section 6.2), which no two parsers read as different hosts."""

_HEADER: Final = re.compile(r"[A-Za-z0-9-]+")
_HEADERS_OF_CLIENTS: Final = re.compile(
    r"(accept|access-control|content|if|proxy|sec)(-.*)?"
    r"|x-forwarded-(for|host|port|proto|server|prefix|scheme|ssl)|(x-(real|client|cluster-client)|true-client)-ip|cf-connecting-ip"
    r"|x-(requested-with|request-id|correlation-id|csrf-token|csrftoken|xsrf-token|http-method-override)"
    r"|alt-used|authorization|baggage|cache-control|cdn-loop|connection|cookie2?|date|device-memory|dnt|downlink"
    r"|dpr|early-data|ect|expect|forwarded|from|host|idempotency-key|keep-alive|last-event-id|max-forwards|rtt|origin|pragma|priority|range|referer|save-data|te|traceparent|tracestate"
    r"|trailer|transfer-encoding|upgrade(-insecure-requests)?|user-agent|via|viewport-width|warning|width",
    re.IGNORECASE,
)
_PAGES_OF_SOCKETS: Final = {"ws": "http", "wss": "https"}
_SCHEMES_OF_REDIS: Final = ("redis", "rediss", "unix")
_EXAMPLE: Final = "https://hamlet.example.org"
_WIDEST: Final = {4: 8, 6: 7}
"""The shortest prefixes that a network of one's own can have: 10.0.0.0/8 and fc00::/7."""


def check_safety(settings: Settings) -> None:
    """Raise `SettingsError` for settings that would let the wrong people in, or nobody."""
    _check_production(settings)
    for origin in settings.allowed_origins:
        _check_origin(origin, settings)
    _check_proxies(settings)
    _check_sign_on(settings)
    _check_redis(settings.redis_url)
    _check_ray(settings.ray_address)


def _check_production(settings: Settings) -> None:
    if settings.profile != "production":
        return
    if "*" in settings.allowed_origins:
        raise SettingsError(
            "HAMLET_ALLOWED_ORIGINS=* lets any page on the web connect, which production refuses; "
            f"name your page's origins, such as {_EXAMPLE}."
        )
    if "null" in settings.allowed_origins:
        raise SettingsError(
            "HAMLET_ALLOWED_ORIGINS=null lets any page on the web connect from a sandboxed frame, which "
            f"production refuses; name your page's origins, such as {_EXAMPLE}."
        )
    if settings.login == "nobody":
        raise SettingsError(
            "HAMLET_LOGIN=nobody lets anyone start and stop training, which production refuses; "
            "set it to teachers or everyone."
        )


def _check_origin(origin: str, settings: Settings) -> None:
    """Refuse what no browser ever sends, and a page's address without the port that its visitors use."""
    if origin in ("*", "null"):
        return
    named = f"HAMLET_ALLOWED_ORIGINS={readable(origin)[:200]}"
    parts = ORIGIN.fullmatch(origin)
    if parts is None:
        raise SettingsError(
            f"{named} is not an origin as browsers send it: a scheme, a host and perhaps a port, without a "
            f"path or slash, such as {readable(_suggested(origin))[:200]}."
        )
    scheme, host, port = parts.groups()
    if scheme.lower() in _PAGES_OF_SOCKETS:
        page = f"{_PAGES_OF_SOCKETS[scheme.lower()]}{origin[len(scheme) :]}"
        raise SettingsError(f"{named} is the address of a socket; browsers send their page's: {page}.")
    if port is not None and not 0 < int(port) < 65536:
        raise SettingsError(f"{named} has a port that does not exist; ports are 1 to 65535.")
    # Behind a proxy, pages come from the proxy's port; without one, from the server's own.
    own = f"{scheme}://{host}:{settings.port}"
    is_direct = scheme.lower() == "http" and port is None and not settings.trusted_proxies
    if is_direct and settings.port not in (0, 80) and own not in settings.allowed_origins:
        raise SettingsError(
            f"{named} lacks the port that browsers send for pages of this server; write {own}, or name the "
            "proxy before the server in HAMLET_TRUSTED_PROXIES."
        )


def _suggested(origin: str) -> str:
    """Return the origin that a text without a scheme, or with a path, was perhaps meant for."""
    text = origin.strip("\"' ")
    if text.rstrip("/").lower() in ("*", "null"):
        return text.rstrip("/").lower()
    scheme, separator, rest = text.rpartition("://")
    host = re.split(r"[/?# ]", rest.lstrip("/"), maxsplit=1)[0].rpartition("@")[2]
    with suppress(UnicodeError):
        host = host.encode("idna").decode()
    suggested = f"{scheme if separator else 'https'}://{host}"
    return suggested if ORIGIN.fullmatch(suggested) and ("." in host or ":" in host) else _EXAMPLE


def _check_proxies(settings: Settings) -> None:
    for proxy in settings.trusted_proxies:
        try:
            ip_network(proxy, strict=False)
        except ValueError:
            raise SettingsError(
                f"HAMLET_TRUSTED_PROXIES={proxy}: expected addresses or networks, such as 127.0.0.1 or "
                "10.0.0.0/8, comma-separated."
            ) from None


def _check_redis(url: str) -> None:
    """Refuse what is no address of Redis; the message leaves it out, because it may hold a password."""
    if not url:
        return
    try:
        parts = urlsplit(url)
        is_address = bool(parts.path if parts.scheme == "unix" else parts.hostname) and parts.port != 0
    except ValueError:  # the port is no number, or a bracket is missing
        is_address = False
    if not is_address or parts.scheme not in _SCHEMES_OF_REDIS:
        raise SettingsError(
            "HAMLET_REDIS_URL is not an address of Redis: expected redis:// or rediss:// with a host and "
            "perhaps a port from 1 to 65535, or unix:// with a path, such as redis://127.0.0.1:6379."
        )


def _check_ray(address: str) -> None:
    host, _, port = address.rpartition(":")
    is_address = "/" not in address and bool(host) and port.isdecimal() and 0 < int(port) < 65_536
    if address not in ("", "auto") and not is_address:
        raise SettingsError(
            f"HAMLET_RAY_ADDRESS={printable(address, 80)}: expected `auto`, for the Ray cluster that this "
            "machine is a node of, or its HOST:PORT, such as 192.168.1.10:6379."
        )


def _check_sign_on(settings: Settings) -> None:
    """Refuse a sign-on header that clients could set."""
    header = settings.trusted_user_header
    named = f"HAMLET_TRUSTED_USER_HEADER={header}"
    if settings.trusted_teachers and not header:
        raise SettingsError(
            "HAMLET_TRUSTED_TEACHERS needs HAMLET_TRUSTED_USER_HEADER, the header with their user names."
        )
    if not header:
        return
    if not _HEADER.fullmatch(header):
        raise SettingsError(f"{named}: expected the name of a header, such as X-Remote-User.")
    if _HEADERS_OF_CLIENTS.fullmatch(header):
        raise SettingsError(
            f"{named} is a header that clients or ordinary proxies set, so any client could log in as a "
            "teacher; use one that only your single sign-on sets, such as X-Remote-User."
        )
    if not settings.trusted_proxies:
        raise SettingsError(
            f"{named} needs HAMLET_TRUSTED_PROXIES, the address of the proxy that sets it; otherwise any "
            "client could send it."
        )
    for network in _joined(settings.trusted_proxies):
        if network.prefixlen < _WIDEST[network.version]:
            raise SettingsError(
                f"HAMLET_TRUSTED_PROXIES={','.join(settings.trusted_proxies)} trusts {network}, and so any "
                f"client to send {header}; name only the proxies that set it."
            )


def _joined(proxies: Iterable[str]) -> Iterable[IPv4Network | IPv6Network]:
    """Join neighbouring networks; two halves of the internet are all of it."""
    networks = [_unmapped(ip_network(proxy, strict=False)) for proxy in proxies]
    yield from collapse_addresses(network for network in networks if isinstance(network, IPv4Network))
    yield from collapse_addresses(network for network in networks if isinstance(network, IPv6Network))


def _unmapped(network: IPv4Network | IPv6Network) -> IPv4Network | IPv6Network:
    if isinstance(network, IPv6Network) and network.prefixlen >= 96:  # noqa: SIM102
        if (mapped := network.network_address.ipv4_mapped) is not None:
            return IPv4Network((int(mapped), network.prefixlen - 96))
    return network
