"""Every setting, with its type, default and limits.

A setting `port` is read from the environment variable `HAMLET_PORT`, else from the TOML file that
`HAMLET_CONFIG` names, else from the profile's defaults, else from the default below. The table in
docs/settings.md is generated from this struct.
"""

from collections.abc import Callable
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from hamlet_trio.common.devices import DeviceName
from hamlet_trio.common.encoding import path_from_text, path_to_text

PREFIX: Final = "HAMLET_"

Profile = Literal["development", "production"]
LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["auto", "console", "json"]
Login = Literal["nobody", "teachers", "everyone"]


class SettingsError(ValueError):
    """A setting is unknown, out of range or unsafe; the message names its environment variable."""


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything an operator can set."""

    profile: Annotated[Profile, Meta(description="development, or production with stricter defaults")] = (
        "development"
    )
    host: Annotated[str, Meta(min_length=1, description="address to listen on")] = "0.0.0.0"  # noqa: S104
    port: Annotated[int, Meta(ge=0, le=65535, description="port to listen on; 0 lets the system choose")] = (
        8765
    )
    models_dir: Annotated[
        str,
        Meta(
            min_length=1,
            description="folder of the models; by default, where the working folder has no `models`, the "
            "models that came with the package",
        ),
    ] = "models"
    data_dir: Annotated[
        str,
        Meta(min_length=1, description="folder of the history, of interrupted runs, and of recordings"),
    ] = "data"
    allowed_origins: Annotated[
        tuple[str, ...],
        Meta(description="origins whose pages may connect, comma-separated; `*` for any; scripts send none"),
    ] = ("*",)
    login: Annotated[
        Login, Meta(description="who must log in: nobody, teachers (to train) or everyone (to watch, too)")
    ] = "nobody"
    tokens_file: Annotated[
        str,
        Meta(description="file of the tokens and class codes; by default `tokens.json` in the data folder"),
    ] = ""
    cookie_key_file: Annotated[
        str,
        Meta(
            description="file of the key that signs logins, created if missing; by default `cookie.key` in "
            "the data folder. Instances behind one address share it, and the tokens"
        ),
    ] = ""
    login_hours: Annotated[
        float, Meta(ge=0.1, le=720, description="hours until a login of the page expires")
    ] = 12
    login_rate: Annotated[
        float,
        Meta(
            ge=0.1, le=1000, description="failed logins per minute and client in the long run; more get 429"
        ),
    ] = 10
    login_burst: Annotated[
        int, Meta(ge=1, le=10_000, description="failed logins per client in one burst")
    ] = 30
    trusted_proxies: Annotated[
        tuple[str, ...],
        Meta(description="addresses or networks of proxies that tell a client's address, comma-separated"),
    ] = ()
    trusted_user_header: Annotated[
        str,
        Meta(
            description="header in which a trusted proxy sends the user name of its single sign-on; or none"
        ),
    ] = ""
    trusted_teachers: Annotated[
        tuple[str, ...],
        Meta(
            description="user names in that header that are teachers, comma-separated; all others may watch"
        ),
    ] = ()
    log_level: Annotated[LogLevel, Meta(description="lowest level that is logged")] = "info"
    log_format: Annotated[LogFormat, Meta(description="auto: console on a terminal, JSON elsewhere")] = "auto"
    max_sessions: Annotated[
        int, Meta(ge=1, le=100_000, description="inference sessions at once; more get 503")
    ] = 1000
    max_load: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            description="share of the server's time that sessions may need before new ones get 503; 0: the "
            "load refuses none",
        ),
    ] = 0.9
    max_viewers: Annotated[
        int, Meta(ge=1, le=100_000, description="training viewers at once; more get 503")
    ] = 1000
    max_sessions_per_client: Annotated[
        int,
        Meta(ge=1, le=100_000, description="inference sessions at once per client address; more get 503"),
    ] = 1000
    max_viewers_per_client: Annotated[
        int,
        Meta(ge=1, le=100_000, description="training viewers at once per client address; more get 503"),
    ] = 1000
    max_room_members: Annotated[
        int, Meta(ge=2, le=500, description="members of rooms at once; more get 503")
    ] = 200
    room_peers: Annotated[
        bool,
        Meta(
            description="whether clients in a group may connect to each other directly, which shows each "
            "the others' addresses in the network; else everything goes over the server"
        ),
    ] = True
    stun_port: Annotated[
        int,
        Meta(
            ge=0,
            le=65535,
            description="UDP port of the STUN answerer, by which clients on two network segments find each "
            "other; 0: none",
        ),
    ] = 0
    handshake_rate: Annotated[
        float,
        Meta(
            ge=0.1, le=100_000, description="connections per second and client in the long run; more get 429"
        ),
    ] = 200
    handshake_burst: Annotated[
        int, Meta(ge=1, le=100_000, description="connections per client in one burst")
    ] = 1000
    idle_timeout: Annotated[
        float,
        Meta(
            ge=1,
            le=604_800,
            description="seconds without a command or a message after which a connection closes with 4408",
        ),
    ] = 7200
    max_message_bytes: Annotated[
        int,
        Meta(
            ge=1024,
            le=16_777_216,
            description="largest message a client may send; a larger one closes with 1009",
        ),
    ] = 65_536
    command_rate: Annotated[
        float, Meta(ge=1, le=100_000, description="commands per second and connection in the long run")
    ] = 200
    command_burst: Annotated[
        int, Meta(ge=1, le=100_000, description="commands per connection in one burst")
    ] = 1000
    command_abuse: Annotated[
        int,
        Meta(
            ge=1,
            le=1_000_000,
            description="commands refused in a row, without a pause, that close a connection with 1008",
        ),
    ] = 2000
    send_timeout: Annotated[
        float,
        Meta(ge=0.1, le=3600, description="seconds that a client may stop reading before it is dropped"),
    ] = 20
    half_open_timeout: Annotated[
        float,
        Meta(
            ge=2, le=3600, description="seconds after which a client that vanished is noticed (TCP keepalive)"
        ),
    ] = 25
    session_command_queue: Annotated[
        int,
        Meta(
            ge=16,
            le=100_000,
            description="commands that may wait in a session; more are refused with rate_limited",
        ),
    ] = 1024
    viewer_frame_queue: Annotated[
        int,
        Meta(ge=1, le=10_000, description="frames that may wait for a slow viewer; older ones are dropped"),
    ] = 8
    viewer_event_queue: Annotated[
        int,
        Meta(
            ge=16,
            le=100_000,
            description="lifecycle events that may wait for a viewer; more close it with 1013",
        ),
    ] = 1024
    session_grace: Annotated[
        float,
        Meta(
            ge=0,
            le=3600,
            description="seconds for which a session without a connection is kept, so that a reloaded page "
            "goes on with it; 0 keeps none",
        ),
    ] = 10
    redis_url: Annotated[
        str,
        Meta(
            description="Redis in which instances keep sessions for one another and share one run and the "
            "rooms, such as `redis://127.0.0.1:6379`; or none. Needs the extra redis"
        ),
    ] = ""
    redis_prefix: Annotated[
        str, Meta(min_length=1, max_length=64, description="what the names of all keys in Redis begin with")
    ] = "hamlet"
    ray_address: Annotated[
        str,
        Meta(
            max_length=300,
            description="standing Ray cluster on which sweeps are trained: `auto` for the one that this "
            "machine is a node of, or its `HOST:PORT`; none: this machine alone. Needs the extra ray",
        ),
    ] = ""
    session_kept: Annotated[
        int,
        Meta(
            ge=10,
            le=604_800,
            description="seconds for which a session is kept in Redis after its last change",
        ),
    ] = 3600
    run_lease: Annotated[
        float,
        Meta(
            ge=2,
            le=60,
            description="seconds without a sign of the instance that trains, after which another one goes on "
            "with the run; the same at all instances",
        ),
    ] = 6
    compression: Annotated[
        bool, Meta(description="permessage-deflate compression; doubles the CPU time of a message")
    ] = False
    shutdown_grace: Annotated[
        float, Meta(ge=0.1, le=600, description="seconds the trainer has to save when the server shuts down")
    ] = 10
    device: Annotated[DeviceName, Meta(description="device the trainer computes on")] = "auto"
    tensorboard: Annotated[
        bool,
        Meta(description="write event files for TensorBoard to the data folder; needs the extra tensorboard"),
    ] = False
    history_runs: Annotated[
        int, Meta(ge=1, le=1_000_000, description="runs kept in the history; the oldest are removed first")
    ] = 1000
    history_episodes: Annotated[
        int,
        Meta(
            ge=1000,
            le=1_000_000_000,
            description="episodes kept in the history, of 330 bytes each; the oldest runs are removed first",
        ),
    ] = 2_000_000
    record_every: Annotated[
        int,
        Meta(
            ge=0,
            le=100_000,
            description="record one in this many episodes of a run, besides the remarkable ones; 0 for none",
        ),
    ] = 50
    recordings_kept: Annotated[
        int,
        Meta(
            ge=1,
            le=100_000,
            description="recordings kept of training, and as many of sessions; the oldest are removed first",
        ),
    ] = 200
    models_kept: Annotated[
        int,
        Meta(
            ge=1,
            le=100_000,
            description="models kept of finished runs, besides named ones; the oldest are removed first",
        ),
    ] = 100
    films_at_once: Annotated[
        int, Meta(ge=1, le=64, description="films made at once, each on about one core")
    ] = 1
    films_kept: Annotated[
        int, Meta(ge=1, le=100_000, description="films kept; the oldest are removed first")
    ] = 20

    def with_portable_paths(self) -> "Settings":
        """Return these settings with paths that JSON and MessagePack can hold."""
        return self._with_paths(path_to_text)

    def with_native_paths(self) -> "Settings":
        """Return the settings from which `with_portable_paths` made these."""
        return self._with_paths(path_from_text)

    def _with_paths(self, converted: Callable[[str], str]) -> "Settings":
        return msgspec.structs.replace(self, **{name: converted(getattr(self, name)) for name in PATHS})


PATHS: Final = ("models_dir", "data_dir", "tokens_file", "cookie_key_file")
"""The settings that name a folder or a file; a leading `~` stands for the home folder."""

PRODUCTION_DEFAULTS: Final[dict[str, Any]] = {
    "host": "127.0.0.1",
    "allowed_origins": (),
    "login": "teachers",
    "trusted_proxies": ("127.0.0.1", "::1"),
    "max_sessions_per_client": 250,
    "max_viewers_per_client": 250,
    "handshake_rate": 50,
    "handshake_burst": 300,
    "log_level": "warning",
    "log_format": "json",
}
