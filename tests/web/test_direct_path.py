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
    "sent",
    [
        b"",
        frame(TEXT, b"a" * 126),
        frame(TEXT, b"a", fin=False),
        frame(TEXT, b"a", mask=False),
        frame(TEXT, b"a", rsv1=True),
        frame(TEXT, b"\xff"),
        frame(BINARY, b"a"),
        frame(CONTINUATION, b"a"),
        frame(PING, b"a"),
    ],
)
def test_everything_else_is_left_to_wsproto(sent: bytes) -> None:
    assert first_text(sent) is None
