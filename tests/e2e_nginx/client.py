"""Clients that come in through nginx's TLS, each from an address of its own."""

import base64
import hashlib
import itertools
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import trio
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.e2e.client import Player, connected_over
from tests.e2e_nginx.proxy import Proxy
from tests.patience import PATIENCE
from tests.web.wire import Answer, Client

_addresses: Final = itertools.count(2)


def new_address() -> str:
    """An address of this machine that no test has used: nginx counts each client by its address."""
    number = next(_addresses)
    return f"127.1.{number // 250}.{number % 250 + 1}"


def trusting(proxy: Proxy) -> ssl.SSLContext:
    """A client's TLS that checks the certificate and its name, and trusts the proxy's authority alone."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    proxy.authority.configure_trust(context)
    return context


def key_hash(proxy: Proxy) -> str:
    """The hash of the certificate's key, by which Chromium is told to trust it for this one start."""
    key = x509.load_pem_x509_certificate((proxy.folder / "fullchain.pem").read_bytes()).public_key()
    encoded = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(encoded).digest()).decode()


def trusting_flags(proxy: Proxy) -> list[str]:
    """Start Chromium with these, and the proxy's name is this machine, with a certificate that it trusts."""
    return [
        f"--ignore-certificate-errors-spki-list={key_hash(proxy)}",
        f"--host-resolver-rules=MAP {proxy.name} 127.0.0.1",
    ]


async def open_stream(proxy: Proxy, address: str) -> trio.SSLStream[trio.SocketStream]:
    """An encrypted connection from this address of ours."""
    stream = await trio.open_tcp_stream("127.0.0.1", proxy.port, local_address=address)
    encrypted = trio.SSLStream(stream, trusting(proxy), server_hostname=proxy.name, https_compatible=True)
    with trio.fail_after(PATIENCE):
        await encrypted.do_handshake()
    return encrypted


@asynccontextmanager
async def connect(proxy: Proxy, address: str | None = None) -> AsyncIterator[Client]:
    """A connection on which bytes are written and read, closed without farewell."""
    stream = await open_stream(proxy, address or new_address())
    try:
        yield Client(stream)
    finally:
        await trio.aclose_forcefully(stream)


async def ask(
    proxy: Proxy, line: str, *, address: str | None = None, body: str = "", **headers: str
) -> Answer:
    """One request, such as "GET /api/models", on a connection of its own."""
    headers |= {"content_length": str(len(body))} if body else {}
    fields = {"host": proxy.name, "connection": "close"} | {
        k.replace("_", "-"): v for k, v in headers.items()
    }
    head = "\r\n".join([f"{line} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items() if value)])
    async with connect(proxy, address) as client:
        await client.send(f"{head}\r\n\r\n{body}".encode())
        return await client.read_answer()


@asynccontextmanager
async def connected(
    proxy: Proxy, path: str = "/ws", *, address: str | None = None, secret: str = ""
) -> AsyncIterator[Player]:
    """A WebSocket on a library that knows nothing of this project, closed in order."""
    stream = await open_stream(proxy, address or new_address())
    async with connected_over(stream, proxy.name, path, secret=secret) as player:
        yield player
