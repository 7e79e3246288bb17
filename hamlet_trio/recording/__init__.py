"""Episodes worth seeing again: compact files that replay bit for bit.

A file holds how an episode began and what was done in it; the rules give the rest. Beside that it carries
what the model thought at each step. `make_recording` makes one, `RecordingFolder` keeps them.
"""

from hamlet_trio.recording.file import (
    SUFFIX,
    DamagedRecordingError,
    OtherRulesError,
    Recording,
    RecordingError,
    decode,
    encode,
    read_recording,
)
from hamlet_trio.recording.folder import ListedRecording, RecordingFolder, UnknownRecordingError
from hamlet_trio.recording.info import MAX_STEPS, Reason, RecordingInfo, Source, is_recording_id, new_id
from hamlet_trio.recording.making import ThinkingPolicy, make_recording
from hamlet_trio.recording.markers import Marker, find_markers
from hamlet_trio.recording.trajectory import Trajectory, play, state_after

__all__ = [
    "MAX_STEPS",
    "SUFFIX",
    "DamagedRecordingError",
    "ListedRecording",
    "Marker",
    "OtherRulesError",
    "Reason",
    "Recording",
    "RecordingError",
    "RecordingFolder",
    "RecordingInfo",
    "Source",
    "ThinkingPolicy",
    "Trajectory",
    "UnknownRecordingError",
    "decode",
    "encode",
    "find_markers",
    "is_recording_id",
    "make_recording",
    "new_id",
    "play",
    "read_recording",
    "state_after",
]
