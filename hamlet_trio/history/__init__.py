"""The history of training runs, a SQLite file in the data folder.

`HistoryWriter` is the task of a server that writes to it, `HistoryDatabase` writes without a server, and
`HistoryReader` answers queries. Recordings are files of their own (hamlet_trio/recording).
"""

from hamlet_trio.history.columns import StoredEpisode
from hamlet_trio.history.database import HistoryDatabase
from hamlet_trio.history.opening import HistoryError, history_path
from hamlet_trio.history.reader import HistoryReader, UnknownRunError
from hamlet_trio.history.records import CheckpointStored, EpisodeEnded, Record, RunEnded, RunStarted, Source
from hamlet_trio.history.results import Failure, FailureColumn, FailureGroup, RunDetails, RunSummary
from hamlet_trio.history.writer import HistoryStatistics, HistoryWriter

__all__ = [
    "CheckpointStored",
    "EpisodeEnded",
    "Failure",
    "FailureColumn",
    "FailureGroup",
    "HistoryDatabase",
    "HistoryError",
    "HistoryReader",
    "HistoryStatistics",
    "HistoryWriter",
    "Record",
    "RunDetails",
    "RunEnded",
    "RunStarted",
    "RunSummary",
    "Source",
    "StoredEpisode",
    "UnknownRunError",
    "history_path",
]
