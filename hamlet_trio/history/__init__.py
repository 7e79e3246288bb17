"""The history: what happened in training runs, kept in a SQLite file under the data folder.

`HistoryWriter` is the one task of a server that writes, `HistoryLog` writes without one, `HistoryReader`
answers questions. Recordings are files of their own (hamlet_trio/recording); their folder is their index.
"""

from hamlet_trio.history.answers import Failure, FailureGroup, RunDetails, RunSummary
from hamlet_trio.history.columns import KeptEpisode
from hamlet_trio.history.database import HistoryError, history_path
from hamlet_trio.history.log import HistoryLog
from hamlet_trio.history.reader import HistoryReader, UnknownRunError
from hamlet_trio.history.records import CheckpointKept, EpisodeEnded, Record, RunBegan, RunEnded, Source
from hamlet_trio.history.writer import HistoryStatistics, HistoryWriter

__all__ = [
    "CheckpointKept",
    "EpisodeEnded",
    "Failure",
    "FailureGroup",
    "HistoryError",
    "HistoryLog",
    "HistoryReader",
    "HistoryStatistics",
    "HistoryWriter",
    "KeptEpisode",
    "Record",
    "RunBegan",
    "RunDetails",
    "RunEnded",
    "RunSummary",
    "Source",
    "UnknownRunError",
    "history_path",
]
