"""The security page: every threat has a defence and tests that prove it, and those tests are there."""

import re

from scripts.doc_tables.pages import REPOSITORY
from tests.docs.reading import TEXTS

MUST_BE_THERE = {
    "Cross-site WebSocket hijacking",
    "Path traversal",
    "Code in a model file",
    "Decompression bombs",
    "Slow clients",
    "Oversized and fragmented frames",
    "Request smuggling through the proxy",
    "Header injection",
    "Token guessing",
    "Log injection",
}


def threats() -> dict[str, str]:
    """Return the text under each threat."""
    text = TEXTS["security.md"].partition("## Threats\n")[2]
    titles = re.split(r"^### (.+)\n", text, flags=re.M)[1:]
    return dict(zip(titles[::2], titles[1::2], strict=True))


def names_of_all_tests() -> set[str]:
    """The name of every test function."""
    sources = [path.read_text(encoding="utf-8") for path in (REPOSITORY / "tests").rglob("test_*.py")]
    return {name for source in sources for name in re.findall(r"^(?:async )?def (test_\w+)", source, re.M)}


def test_every_threat_has_a_defence_and_a_proof_that_exists() -> None:
    known = names_of_all_tests()
    for title, text in threats().items():
        assert text.count("- **Defence:** ") == 1, title
        (proof,) = re.findall(r"^- \*\*Proven by:\*\* (.+)$", text, re.M)
        names = proof.replace("`", "").split(", ")
        assert set(names) - known == set(), title
        assert len(names) == len(set(names)), title


def test_nothing_that_was_asked_about_is_left_out() -> None:
    assert set(threats()) >= MUST_BE_THERE
