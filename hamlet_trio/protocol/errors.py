"""Every error code and close code of the wire, with what each means and what to do, and the `error` message.

Codes are stable: clients compare them. The table in docs/protocol.md is generated from here.
"""

from enum import IntEnum, StrEnum
from typing import Annotated

from msgspec import Meta, Struct


class ErrorCode(StrEnum):
    """The `code` of an `error` message or of an HTTP problem document."""

    description: str

    def __new__(cls, value: str, description: str) -> "ErrorCode":
        member = str.__new__(cls, value)
        member._value_ = value
        member.description = description
        return member

    # What was sent could not be read.
    INVALID_JSON = "invalid_json", "The frame is not JSON (NaN and Infinity are not JSON either)."
    NOT_AN_OBJECT = "not_an_object", "The frame is JSON, but not an object."
    BINARY_FRAME = "binary_frame", "Commands travel in text frames; a binary frame was sent."
    MISSING_COMMAND = "missing_command", "The object has no `command`."
    UNKNOWN_COMMAND = "unknown_command", "This endpoint has no such command; the message lists those it has."
    MISSING_FIELD = "missing_field", "A field the command needs is not there."
    UNKNOWN_FIELD = "unknown_field", "The command has no such field; the message lists those it has."
    WRONG_TYPE = "wrong_type", "A field has another type than it must have."
    OUT_OF_RANGE = "out_of_range", "A field's value lies outside what is allowed; the message gives both."
    RATE_LIMITED = (
        "rate_limited",
        "More commands, handshakes or failed logins than allowed; this one did nothing.",
    )

    # Inference.
    STEP_WHILE_PLAYING = "step_while_playing", "`step` works while paused only; send `pause` first."
    HUMAN_IN_CONTROL = "human_in_control", "A person plays: send `act`, or `release_control` first."
    NOT_IN_CONTROL = "not_in_control", "`act` needs `take_control` first."
    INVALID_MODEL_NAME = "invalid_model_name", "A model is named by its file name alone, without any path."
    UNKNOWN_MODEL = "unknown_model", "No such file in the models folder; `GET /api/models` lists them."
    UNUSABLE_MODEL = "unusable_model", "The file is damaged, foreign, or made for another world."
    TOO_MANY_LOADS = (
        "too_many_loads",
        "Too many models or recordings wait to be read or kept already; wait for one.",
    )

    # Recordings and films.
    UNKNOWN_RECORDING = "unknown_recording", "No such recording; `GET /api/recordings` lists them."
    UNUSABLE_RECORDING = (
        "unusable_recording",
        "The file is damaged, or of other rules; the message says which.",
    )
    NOTHING_TO_RECORD = "nothing_to_record", "The episode has no step yet, or is a recording already."
    RECORDING_FAILED = "recording_failed", "The recording could not be written, on a full disk for instance."
    RECORDING_ENDED = "recording_ended", "The replay is at its end; seek back, or send `leave_replay`."
    NOT_IN_REPLAY = "not_in_replay", "No replay is on that could be left."
    CANNOT_BRANCH = (
        "cannot_branch",
        "The recording's world is not that of this server: it can only be watched.",
    )
    UNKNOWN_FILM = "unknown_film", "This film is neither there nor being made; `POST` has it made."
    FILMS_BUSY = "films_busy", "As many films wait as may; try again after `Retry-After` seconds."
    FILMS_UNAVAILABLE = "films_unavailable", "This server makes no films; the message says why."

    # Training.
    ALREADY_TRAINING = "already_training", "One run at a time; a training_status follows that tells of it."
    NOT_TRAINING = "not_training", "There is no run that this command could act on."
    TRAINING_BUSY = "training_busy", "The run is starting or stopping; wait for its next training_status."
    TRAINING_LOCKED = "training_locked", "Another server trains over the same data folder."
    UNKNOWN_CHECKPOINT = "unknown_checkpoint", "`resume_from` names neither a model nor an interrupted run."
    SAVE_FAILED = "save_failed", "The run could not be saved, on a full disk for instance; training goes on."
    HISTORY_FAILED = (
        "history_failed",
        "What happens is not being kept, because the disk is full for instance; training goes on.",
    )
    TRAINING_UNAVAILABLE = "training_unavailable", "The trainer could not be started; the message says why."

    # The server as a whole.
    SERVER_FULL = "server_full", "No session or viewer slot is free; try again after `Retry-After` seconds."
    CLIENT_FULL = "client_full", "Your address has as many connections as one may; close one, or wait."
    STARTING = "starting", "The server is still starting; ask again in a second."
    DRAINING = "draining", "The server is shutting down; connect again, to it or to another instance."
    FORBIDDEN_ORIGIN = "forbidden_origin", "Pages of this origin may not connect; see HAMLET_ALLOWED_ORIGINS."
    LOGIN_NEEDED = (
        "login_needed",
        "Log in first: with the class code to watch, with a teacher's token to train.",
    )
    BAD_CREDENTIALS = "bad_credentials", "No such token or class code; it may have expired or been revoked."
    FORBIDDEN = "forbidden", "Your role does not allow this; a teacher's token does."
    NOT_FOUND = "not_found", "No such route."
    METHOD_NOT_ALLOWED = "method_not_allowed", "The route exists, but not for this method."
    UNKNOWN_RUN = "unknown_run", "The history has no run of that id; `GET /api/runs` lists those it has."
    HISTORY_UNAVAILABLE = "history_unavailable", "The history cannot be read; the message says why."
    INVALID_QUERY = "invalid_query", "A query parameter is unknown, has another type, or is out of range."
    INVALID_REQUEST = "invalid_request", "The request could not be read."
    REQUEST_TOO_LARGE = "request_too_large", "The request's body or headers are larger than allowed."
    INTERNAL_ERROR = "internal_error", "The server failed; its log has the reason under the session's id."


class CloseCode(IntEnum):
    """The close codes this server sends (RFC 6455 section 7.4.1 and the registry that it opens)."""

    description: str

    def __new__(cls, value: int, description: str) -> "CloseCode":
        member = int.__new__(cls, value)
        member._value_ = value
        member.description = description
        return member

    POLICY_VIOLATION = 1008, "The command rate limit was exceeded persistently."
    MESSAGE_TOO_BIG = 1009, "A message over the size limit (64 KiB by default)."
    INTERNAL_ERROR = 1011, "The session failed; connect again."
    SERVICE_RESTART = 1012, "The server is shutting down; connect again, to it or to another instance."
    TRY_AGAIN_LATER = 1013, "The viewer was too slow to take even the run's lifecycle events."
    LOGIN_ENDED = 4401, "The token that opened the connection was revoked or has expired; log in again."
    IDLE = (
        4408,
        "Neither a command nor a message for HAMLET_IDLE_TIMEOUT seconds; connect again when you are back.",
    )


class BadMessageError(ValueError):
    """What a client sent cannot be carried out; becomes an `error` message on that connection.

    Attributes: `code` (stable), `message` (one sentence for a person), `command` and `field` where known.
    """

    def __init__(
        self, code: ErrorCode, message: str, *, command: str | None = None, field: str | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.command = command
        self.field = field


class Error(Struct, frozen=True, tag_field="type", tag="error"):
    """A command could not be carried out; the connection stays open and nothing else changed."""

    message: Annotated[str, Meta(description="one sentence for a person")]
    code: Annotated[str, Meta(description="stable code for programs: see the table of error codes")]
    command: Annotated[str | None, Meta(description="the refused command, where known")] = None
    field: Annotated[str | None, Meta(description="the refused field, where known")] = None
