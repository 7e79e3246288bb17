"""Make tokens and class codes, keep them as hashes, and recognise them.

A token has 256 random bits and cannot be guessed: its SHA-256 is safe to keep and quick to check with every
request. A class code is short, to be said aloud and typed: it has 40 bits, and is therefore kept as scrypt
(RFC 7914), where each guess costs 16 MiB and tens of milliseconds. Guessing is rate-limited as well.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from hamlet_trio.web.access.roles import Role

PREFIX: Final = "hamlet_"
MAX_SECRET: Final = 200  # characters of an offered token or code; longer ones are refused unread
_TOKEN_BYTES: Final = 32
_ID_BYTES: Final = 8  # the id of a revoked token, which a cookie may still name, must not recur
_CODE_LETTERS: Final = "abcdefghjkmnpqrstuvwxyz23456789"  # without lookalikes
_CODE_GROUPS: Final = (4, 4)
_COST: Final = 2**14  # of scrypt, with blocks of 8: 16 MiB
_BLOCK: Final = 8
_MEMORY: Final = 64 * 2**20  # OpenSSL's limit for it

Kind = Literal["token", "code"]
RoleName = Literal["viewer", "teacher"]
_Timestamp = Annotated[datetime, Meta(tz=True)]


class Token(Struct, frozen=True, kw_only=True):
    """Represent a token or class code without its secret: `hash` is SHA-256 of a token, scrypt of a code."""

    id: str
    name: Annotated[str, Meta(min_length=1, max_length=100)]
    role: RoleName
    kind: Kind
    hash: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
    created: _Timestamp
    expires: _Timestamp | None = None

    @property
    def grants(self) -> Role:
        """Return the role it grants."""
        return Role[self.role.upper()]

    def is_valid(self, now: datetime | None = None) -> bool:
        """Return whether it has not expired."""
        return self.expires is None or (now or datetime.now(UTC)) < self.expires


class Tokens(Struct, frozen=True, kw_only=True):
    """Represent the content of the tokens file. Codes share `salt`, so that one scrypt checks a guess."""

    salt: Annotated[str, Meta(pattern=r"^(?:[0-9a-f]{2})+\Z", max_length=128)]
    tokens: tuple[Token, ...] = ()
    version: Literal[1] = 1

    def by_id(self, token_id: str) -> Token | None:
        """Return the valid token with this id."""
        return next((t for t in self.tokens if t.id == token_id and t.is_valid()), None)

    def has(self, role: Role) -> bool:
        """Return whether a valid token grants this role."""
        return any(token.grants is role and token.is_valid() for token in self.tokens)

    def recognise(self, secret: str) -> Token | None:
        """Return the valid token with this secret. A code takes tens of milliseconds: call it in a thread."""
        if len(secret) > MAX_SECRET:
            return None
        kind: Kind = "token" if is_token(secret) else "code"
        candidates = [token for token in self.tokens if token.kind == kind]
        if not candidates:
            return None
        return _matching(candidates, hash_token(secret) if kind == "token" else hash_code(secret, self.salt))


def _matching(candidates: Iterable[Token], digest: str) -> Token | None:
    """Compare with every candidate in constant time, so that timing reveals nothing."""
    found: Token | None = None
    for token in candidates:
        if hmac.compare_digest(token.hash, digest) and token.is_valid():
            found = token
    return found


def is_token(secret: str) -> bool:
    """Return whether this has the form of a token rather than of a class code."""
    return secret.startswith(PREFIX)


def new_tokens() -> Tokens:
    """Return an empty set of tokens with a fresh salt."""
    return Tokens(salt=secrets.token_hex(16))


def new_token(
    tokens: Tokens, *, name: str, role: RoleName, kind: Kind, expires: datetime | None = None
) -> tuple[Tokens, Token, str]:
    """Return the tokens with a new one added, the new one, and its secret, which is stored nowhere."""
    secret = _new_code() if kind == "code" else PREFIX + secrets.token_urlsafe(_TOKEN_BYTES)
    token = Token(
        id=_new_id(tokens),
        name=name,
        role=role,
        kind=kind,
        hash=hash_code(secret, tokens.salt) if kind == "code" else hash_token(secret),
        created=datetime.now(UTC).replace(microsecond=0),
        expires=expires,
    )
    return Tokens(salt=tokens.salt, tokens=(*tokens.tokens, token)), token, secret


def _new_id(tokens: Tokens) -> str:
    taken = {token.id for token in tokens.tokens}
    while (new := secrets.token_hex(_ID_BYTES)) in taken:
        pass
    return new


def _new_code() -> str:
    groups = ("".join(secrets.choice(_CODE_LETTERS) for _ in range(size)) for size in _CODE_GROUPS)
    return "-".join(groups)


def hash_token(secret: str) -> str:
    """Return the SHA-256 of a token in hexadecimal digits."""
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()


def normalize_code(secret: str) -> str:
    """Return a code in lower case, without spaces and hyphens."""
    return "".join(secret.lower().replace("-", " ").split())


def hash_code(secret: str, salt: str) -> str:
    """Return the scrypt of a code in hexadecimal digits."""
    return hashlib.scrypt(
        normalize_code(secret).encode(errors="replace"),
        salt=bytes.fromhex(salt),
        n=_COST,
        r=_BLOCK,
        p=1,
        maxmem=_MEMORY,
        dklen=32,
    ).hex()
