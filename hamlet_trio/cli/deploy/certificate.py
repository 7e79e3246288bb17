"""Check with OpenSSL whether a certificate is valid for its names, with its key, and for how long."""

import ssl
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from hamlet_trio.cli.deploy.findings import Finding, fine, problem, warning

_SOON: Final = 14 * 86_400.0  # seconds of validity below which the renewal has evidently failed


def check_certificate(certificate: Path, key: Path, names: Iterable[str]) -> Iterator[Finding]:
    """Check that both files are readable, belong together, are valid now, and cover each name."""
    about = "certificate"
    for path in (certificate, key):
        try:
            path.read_bytes()
        except FileNotFoundError:
            yield problem(about, f"There is no {path}; nginx names it, and will not start without it.")
            return
        except OSError as error:
            yield problem(about, f"{path} cannot be read: {error.strerror}; run this as root.")
            return
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        server.load_cert_chain(certificate, key, password=_no_password)
    except ssl.SSLError as error:
        yield problem(about, _why_not(error, certificate, key))
        return
    except _PasswordNeededError:
        yield problem(about, f"{key} needs a passphrase, which nobody can type when nginx starts.")
        return
    for name in names:
        try:
            facts = _shake_hands(server, certificate, name)
        except ssl.SSLCertVerificationError as error:
            yield problem(
                about, f"{certificate} is not good for {name}: {error.verify_message}; get a new one."
            )
            continue
        left = ssl.cert_time_to_seconds(facts["notAfter"]) - time.time()
        days = int(left // 86_400)
        if left < _SOON:
            yield warning(about, f"{certificate} ends in {days} days; see why it was not renewed.")
        else:
            yield fine(about, f"{certificate} is good for {name} for another {days} days.")


class _PasswordNeededError(Exception):
    """The key is encrypted."""


def _no_password() -> str:
    raise _PasswordNeededError


def _why_not(error: ssl.SSLError, certificate: Path, key: Path) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return f"{key} is not the key of {certificate}; take the two that were made together."
    return f"{certificate} or {key} is damaged or in another form than PEM ({error.reason or error})."


def _shake_hands(server: ssl.SSLContext, certificate: Path, name: str) -> dict[str, Any]:
    """Do a handshake in memory with a client that trusts this certificate but checks everything else.

    Raises `ssl.SSLCertVerificationError` as a browser would, whoever signed it.
    """
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    client.load_verify_locations(certificate)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        client.wrap_bio(to_client, to_server, server_hostname=name),
        server.wrap_bio(to_server, to_client, server_side=True),
    )
    pending = list(ends)
    while pending:
        for end in tuple(pending):
            try:
                end.do_handshake()
                pending.remove(end)
            except ssl.SSLWantReadError:
                pass
    facts = ends[0].getpeercert()
    assert facts is not None
    return facts
