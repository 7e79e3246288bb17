"""The names of settings, as variables of the environment or as keys of a file, and near misses of them."""

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Final

from hamlet_trio.settings.fields import PREFIX, Settings

CONFIG: Final = PREFIX + "CONFIG"

_OTHERS: Final = frozenset(PREFIX + name for name in ("CONFIG", "REQUIRE_ALL", "GOLDEN_DIR", "SERVER"))
"""Variables of this repository's own scripts and tests."""

# What Kubernetes sets in every pod for the services of its namespace, as Docker does for container links.
_LINK_NAME: Final = re.compile(
    r"HAMLET_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(ADDR|PORT|PROTO))?)"
)
_LINK_VALUE: Final = re.compile(r"(tcp|udp|sctp)://\S+")

_LIKENESS: Final = 0.75
"""How alike a name must be to be taken for a misspelt one: `PROT` and `PORT` are just that."""

_PREFIX: Final = re.compile(r"HAMLET[_-]", re.IGNORECASE)
_MISSPELT_PREFIX: Final = re.compile(r"[HAMLET]{4,8}", re.IGNORECASE)
_LIKENESS_WITHOUT_PREFIX: Final = 0.88
"""How alike a whole name must be where the prefix is misspelt, too: `HAMLETT_PORT`, but not `HELMET_PORT`."""


def is_service_link(name: str, value: str) -> bool:
    """Return whether Kubernetes set this variable for a service named hamlet, or hamlet-something."""
    return bool(_LINK_NAME.fullmatch(name)) or (
        name.endswith("_PORT") and bool(_LINK_VALUE.fullmatch(value.strip()))
    )


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """List the variables that look like settings and are none; Kubernetes' and our scripts' are left out."""
    known = {PREFIX + name.upper() for name in Settings.__struct_fields__} | _OTHERS
    return sorted(
        name
        for name, value in environment.items()
        if name not in known and not is_service_link(name, value) and _resembles(name, known)
    )


def _resembles(name: str, known: Iterable[str]) -> bool:
    if _PREFIX.match(name):
        return True
    return bool(
        _MISSPELT_PREFIX.match(name)
        and get_close_matches(_letters(name), map(_letters, known), n=1, cutoff=_LIKENESS_WITHOUT_PREFIX)
    )


def near_misses(name: str, known: Iterable[str]) -> list[str]:
    """List the settings that a name, without its prefix, may have been meant for."""
    names = {_letters(each): each for each in known}
    words = set(_words(name))
    like = [names[found] for found in get_close_matches(_letters(name), names, cutoff=_LIKENESS)]
    return list(dict.fromkeys([*like, *(each for each in names.values() if words < set(_words(each)))]))


def _letters(name: str) -> str:
    return "".join(_words(name))


def _words(name: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", name.lower())
