"""The table of `/metrics`, from the metrics of a new server."""

from collections.abc import Callable
from typing import Final

import trio

from hamlet_trio.settings import Settings
from scripts.doc_tables.markdown import code, sentence, table


def metrics() -> str:
    """List the metrics of Hamlet's own with their kind and meaning."""
    return trio.run(_metrics)


async def _metrics() -> str:
    from hamlet_trio.web.metaserver import Metaserver  # noqa: PLC0415
    from hamlet_trio.web.metrics import ServerCollector  # noqa: PLC0415  # the server's libraries, for this table only

    collected = ServerCollector(Metaserver(Settings(redis_url="redis://127.0.0.1:6379"))).collect()
    rows = [
        (
            code(metric.name + ("_total" if metric.type == "counter" else "")),
            metric.type,
            sentence(metric.documentation),
        )
        for metric in collected
    ]
    return table(("Name", "Kind", "What it tells"), rows)


TABLES: Final[dict[str, Callable[[], str]]] = {"metrics": metrics}
