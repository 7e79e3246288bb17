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

    # The message could not be read.
    INVALID_JSON = "invalid_json", "The frame is not JSON. NaN and Infinity are not JSON either."
    NOT_AN_OBJECT = "not_an_object", "The frame is JSON, but not an object."
    BINARY_FRAME = "binary_frame", "Commands travel in text frames; a binary frame was sent."
    MISSING_COMMAND = "missing_command", "The object has no `command`."
    UNKNOWN_COMMAND = (
        "unknown_command",
        "This endpoint has no such command; the message lists the commands it has.",
    )
    MISSING_FIELD = "missing_field", "A required field of the command is missing."
    UNKNOWN_FIELD = "unknown_field", "The command has no such field; the message lists the fields it has."
    WRONG_TYPE = "wrong_type", "A field has the wrong type."
    OUT_OF_RANGE = (
        "out_of_range",
        "A field's value is not allowed; the message gives the value and what is allowed.",
    )
    RATE_LIMITED = (
        "rate_limited",
        "Too many commands, handshakes or failed logins; this one had no effect.",
    )

    # Inference.
    STEP_WHILE_PLAYING = "step_while_playing", "`step` works only while paused; send `pause` first."
    HUMAN_IN_CONTROL = "human_in_control", "A person is in control: send `act`, or `release_control` first."
    NOT_IN_CONTROL = "not_in_control", "`act` needs `take_control` first."
    INVALID_MODEL_NAME = "invalid_model_name", "A model's name is its file name alone, without a path."
    UNKNOWN_MODEL = "unknown_model", "The models folder has no such file; `GET /api/models` lists the models."
    UNUSABLE_MODEL = (
        "unusable_model",
        "The file is damaged, is not a model of Hamlet, or was made for another world.",
    )
    MODEL_NOT_NAMED = (
        "model_not_named",
        "Only a run's own model gets a name; shipped ones, and `trained_agent.pt`, keep theirs.",
    )
    NAME_TAKEN = "name_taken", "Another model has this name; choose another one."
    NAMES_FULL = "names_full", "As many models as are allowed have a name; take one away first."
    TOO_MANY_LOADS = (
        "too_many_loads",
        "Too many models or recordings are waiting to be read or written; wait for one of them.",
    )

    # Sessions that go on.
    UNKNOWN_SESSION = (
        "unknown_session",
        "The session is no longer kept, never was, or is another login's; the new one goes on.",
    )
    SESSION_BUSY = (
        "session_busy",
        "`resume_session` is the first command of a connection, and only once; connect again.",
    )
    STORE_UNAVAILABLE = (
        "store_unavailable",
        "Redis, which instances share, does not answer: the new session goes on, and no run can start.",
    )

    # Recordings and films.
    UNKNOWN_RECORDING = (
        "unknown_recording",
        "There is no such recording; `GET /api/recordings` lists the recordings.",
    )
    UNUSABLE_RECORDING = (
        "unusable_recording",
        "The file is damaged, or was made under other rules; the message says which.",
    )
    NOTHING_TO_RECORD = "nothing_to_record", "The episode has no step yet, or is already a recording."
    RECORDING_FAILED = (
        "recording_failed",
        "The recording could not be written, for example because the disk is full.",
    )
    RECORDING_ENDED = "recording_ended", "The replay has ended; seek back, or send `leave_replay`."
    NOT_IN_REPLAY = "not_in_replay", "No replay is on the screen."
    CANNOT_BRANCH = (
        "cannot_branch",
        "The recording's world differs from this server's, so the recording can only be watched.",
    )
    UNKNOWN_FILM = "unknown_film", "This film neither exists nor is being made; `POST` orders it."
    FILMS_BUSY = "films_busy", "Too many films are waiting to be made; try again after `Retry-After` seconds."
    FILMS_UNAVAILABLE = "films_unavailable", "This server cannot make films; the message says why."

    # Worlds.
    UNKNOWN_WORLD = "unknown_world", "There is no such world; `GET /api/worlds` lists the worlds."
    INVALID_WORLD = "invalid_world", "A field of the world is unknown or not allowed; `field` names it."
    WORLD_READ_ONLY = "world_read_only", "The world is a preset, which nobody changes; choose another name."
    WORLD_CHANGED = (
        "world_changed",
        "A world of that name is there in another version; read it, and send its `ETag` as `If-Match`.",
    )
    TOO_MANY_WORLDS = (
        "too_many_worlds",
        "Sessions play in as many different worlds as are allowed at once; choose one that is in use.",
    )
    WORLDS_FULL = "worlds_full", "The folder has as many worlds as are allowed; remove one first."

    # Rooms.
    NOT_JOINED = "not_joined", "`join` a room first."
    ROOM_FULL = "room_full", "The room has as many members as it may."
    NO_PEERS = (
        "no_peers",
        "Members connect to each other within a group alone, and only where `HAMLET_ROOM_PEERS` is on.",
    )
    UNKNOWN_MEMBER = "unknown_member", "No such member is in this room, or it has no session to follow."
    UNPROVED_SESSION = (
        "unproved_session",
        "There is no such session, or `proof` is not the one from its `connected`.",
    )
    NOT_FOLLOWED = "not_followed", "The member that `set_direct` names is not the one that you follow."
    UNKNOWN_STROKE = "unknown_stroke", "No stroke of yours has this id: it was never drawn, or is gone."
    DRAWING_ENDED = "drawing_ended", "The teacher has ended drawing."
    NO_VOTE = "no_vote", "No vote is open."

    # Training.
    ALREADY_TRAINING = (
        "already_training",
        "A run is already on, and there is only one at a time; its training_status follows.",
    )
    NOT_TRAINING = "not_training", "There is no run for this command to act on."
    TRAINING_BUSY = (
        "training_busy",
        "The run is stopping, or its trainer does not respond; wait for the next status.",
    )
    TRAINING_LOCKED = "training_locked", "Another server is training in the same data folder."
    UNKNOWN_CHECKPOINT = "unknown_checkpoint", "`resume_from` is neither a model nor an interrupted run."
    SAVE_FAILED = (
        "save_failed",
        "The run could not be saved, for example because the disk is full; training goes on.",
    )
    HISTORY_FAILED = (
        "history_failed",
        "The history cannot be written, for example because the disk is full; training goes on.",
    )
    TRAINING_UNAVAILABLE = (
        "training_unavailable",
        "The trainer could not be started, or a sweep's Ray cluster cannot be used; the message says why.",
    )

    # The server as a whole.
    SERVER_FULL = (
        "server_full",
        "The server has no free slot, or no time for one more; try again after `Retry-After` seconds.",
    )
    CLIENT_FULL = "client_full", "Your address has too many connections; close one, or wait."
    STARTING = "starting", "The server is still starting; ask again in a second."
    DRAINING = "draining", "The server is shutting down; connect again, to it or to another instance."
    FORBIDDEN_ORIGIN = (
        "forbidden_origin",
        "Pages from this origin may not connect; see HAMLET_ALLOWED_ORIGINS.",
    )
    LOGIN_NEEDED = (
        "login_needed",
        "Log in first: with the class code to watch, or with a teacher's token to train.",
    )
    BAD_CREDENTIALS = (
        "bad_credentials",
        "The token or class code is unknown; it may have expired or been revoked.",
    )
    FORBIDDEN = "forbidden", "Your role does not allow this; log in with a teacher's token."
    NOT_FOUND = "not_found", "There is no such route."
    METHOD_NOT_ALLOWED = "method_not_allowed", "The route exists, but not for this method."
    UNKNOWN_RUN = "unknown_run", "The history has no run with this id; `GET /api/runs` lists the runs."
    HISTORY_UNAVAILABLE = "history_unavailable", "The history cannot be read; the message says why."
    INVALID_QUERY = "invalid_query", "A query parameter is unknown, has another type, or is out of range."
    INVALID_REQUEST = "invalid_request", "The request could not be read."
    REQUEST_TOO_LARGE = "request_too_large", "The request's body or headers are larger than allowed."
    INTERNAL_ERROR = "internal_error", "The server failed; its log has the cause, under the session's id."


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
    TRY_AGAIN_LATER = 1013, "The viewer was too slow even for the run's lifecycle events."
    LOGIN_ENDED = 4401, "The token that opened the connection was revoked or has expired; log in again."
    SESSION_TAKEN = (
        4409,
        "Another connection goes on with this session; connecting again begins a new one.",
    )
    IDLE = (
        4408,
        "Idle: neither a command nor a message for HAMLET_IDLE_TIMEOUT seconds; connect again to go on.",
    )


class BadMessageError(ValueError):
    """A command that cannot be carried out; it is answered with an `error` message on that connection.

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

    def as_message(self) -> "Error":
        """Return the message that answers the command."""
        return Error(self.message, self.code, self.command, self.field)


class Error(Struct, frozen=True, tag_field="type", tag="error"):
    """A command could not be carried out; the connection stays open and nothing else changed."""

    message: Annotated[str, Meta(description="one sentence for a person")]
    code: Annotated[str, Meta(description="stable code for programs: see the table of error codes")]
    command: Annotated[str | None, Meta(description="the refused command, where known")] = None
    field: Annotated[str | None, Meta(description="the refused field, where known")] = None
