"""Making foreign text fit for a message."""


def printable(text: object, limit: int = 80) -> str:
    """At most `limit` characters of `text`, none of them a control character or half of a surrogate pair."""
    shown = "".join(character if character.isprintable() else "?" for character in str(text)[: limit + 1])
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"
