"""Short texts that are read past Hypercorn: they are those that wsproto would have read."""

import pytest
from wsproto.connection import Connection, ConnectionType
from wsproto.events import TextMessage

from hamlet_trio.web.guard.websocket import first_text
from tests.web.wire import BINARY, CONTINUATION, PING, TEXT, frame


@pytest.mark.parametrize("length", [0, 1, 2, 3, 4, 5, 124, 125])
def test_a_short_text_is_read_as_wsproto_made_it(length: int) -> None:
    text = "\N{GREEK SMALL LETTER ALPHA}" * (length // 2) + "a" * (length % 2)
    sent = bytes(Connection(ConnectionType.CLIENT).send(TextMessage(data=text)))
    assert first_text(sent) == first_text(sent + b"more") == text
    assert first_text(sent[:-1]) is None


@pytest.mark.parametrize(
    ("sent", "what"),
    [
        (b"", "nothing"),
        (frame(TEXT, b"a" * 126), "a longer text"),
        (frame(TEXT, b"a", fin=False), "the beginning of a text"),
        (frame(TEXT, b"a", mask=False), "no mask"),
        (frame(TEXT, b"a", rsv1=True), "compressed"),
        (frame(TEXT, b"\xff"), "not UTF-8"),
        (frame(BINARY, b"a"), "binary"),
        (frame(CONTINUATION, b"a"), "the rest of a text"),
        (frame(PING, b"a"), "a ping"),
    ],
    # Masks are random, and workers compare the names of their tests.
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_everything_else_is_left_to_wsproto(sent: bytes, what: str) -> None:
    assert first_text(sent) is None, what
