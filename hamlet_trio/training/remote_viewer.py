"""A viewer at another instance, whose command is carried out here."""

from typing import TYPE_CHECKING, Final

import msgspec

from hamlet_trio.protocol.messages import encode

if TYPE_CHECKING:
    from hamlet_trio.shared import SharedRun
    from hamlet_trio.shared.run_log import SentOrder


class RemoteViewer:
    """Represent a viewer at another instance, whose command is carried out here."""

    def __init__(self, shared: "SharedRun", order: "SentOrder") -> None:
        self.session_id: Final = order.session_id
        self._shared: Final = shared
        self._order: Final = order
        self._texts: Final[list[str]] = []

    def tell(self, message: msgspec.Struct) -> None:
        """Answer the viewer alone."""
        self._texts.append(encode(message))

    async def send(self) -> None:
        """Send what there is to answer, if only that the command was carried out."""
        await self._shared.answer(self._order, self._texts)
