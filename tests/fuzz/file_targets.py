"""The formats of files that are read, as targets: any bytes end in a value or in the format's one error."""

import hashlib
import io
import tempfile
import zipfile
import zlib
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec
import torch

from hamlet_trio import __version__
from hamlet_trio.agent.checkpoint_bytes import CheckpointError
from hamlet_trio.agent.model_cache import ModelCache
from hamlet_trio.agent.model_details import ModelDetails
from hamlet_trio.exchange.comparison import ExchangeError
from hamlet_trio.exchange.plain_torch import read_perceptron
from hamlet_trio.history import HistoryDatabase, HistoryError, HistoryReader
from hamlet_trio.history.queries import EpisodesQuery, FailureFilter, RunsQuery
from hamlet_trio.history.schema import MIGRATIONS
from hamlet_trio.protocol.parameters import TrainingParameters
from hamlet_trio.protocol.sweeps import SweepTrial
from hamlet_trio.recording.capture import make_recording
from hamlet_trio.recording.file import RecordingError, decode, encode
from hamlet_trio.settings import Settings
from hamlet_trio.training.managed_run import StartError, open_run
from hamlet_trio.training.plan import RunPlan
from hamlet_trio.training.recipe import PLAIN_RECIPE
from hamlet_trio.training.store import RunNotFoundError, RunRecord, RunStore
from hamlet_trio.training.sweep.sweep_store import SweepNotFoundError, SweepRecord, SweepStore
from hamlet_trio.training.sweep.trials import PlannedTrial
from hamlet_trio.web.access.token_file import TokenFileError, read_tokens
from hamlet_trio.world import WorldConfig
from tests.history.legacy_database import make_legacy
from tests.history.support import ended, restore_form, started
from tests.recording.support import record, start_of

OLDER_FORMS: Final = range(1, len(MIGRATIONS))
RUN: Final = "20260101-000000-aaaaaa"
PARAMETERS: Final = TrainingParameters(
    num_episodes=4, batch_size=8, buffer_capacity=100, max_steps=20, network_type="qnetwork", seed=1
)


@cache
def folder() -> Path:
    """A folder of this process, removed with it."""
    made = tempfile.TemporaryDirectory(prefix="hamlet-fuzz-")
    _FOLDERS.append(made)
    return Path(made.name)


_FOLDERS: list["tempfile.TemporaryDirectory[str]"] = []


def check_sentence(error: Exception, named: str) -> None:
    """Check that an error is one sentence, fit for any terminal, that names what it is about."""
    assert named in str(error), f"which file? {error}"
    assert "\n" not in str(error), f"not one sentence: {error}"
    assert str(error).isprintable(), f"not printable: {error!r}"
    assert len(str(error)) < 1000, "what is refused is repeated at length"


def put(name: str, data: bytes) -> Path:
    """Write a file into the folder of this process."""
    path = folder() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


# --- the history -------------------------------------------------------------------------------------------


def history(data: bytes) -> None:
    """The database: each query answers or raises `HistoryError`, and so does writing."""
    for suffix in ("-wal", "-shm", "-journal"):
        (folder() / f"history.db{suffix}").unlink(missing_ok=True)
    _use_history(put("history.db", data))


def history_log(data: bytes) -> None:
    """The write-ahead log beside a sound database."""
    path = put("history.db", history_seed())
    for suffix in ("-shm", "-journal"):
        (folder() / f"history.db{suffix}").unlink(missing_ok=True)
    put("history.db-wal", data)
    _use_history(path)


def _use_history(path: Path) -> None:
    reader = HistoryReader(path)
    for ask in (
        lambda: reader.runs(RunsQuery()),
        lambda: [reader.run(run.run_id) for run in reader.runs(RunsQuery())],
        lambda: [list(reader.all_episodes(run.run_id, EpisodesQuery())) for run in reader.runs(RunsQuery())],
        lambda: reader.failures(FailureFilter()),
        lambda: reader.failure_summary(FailureFilter()),
        lambda: reader.failure_summary(FailureFilter(), limit=3),
        reader.running,
    ):
        try:
            msgspec.json.encode(ask())
        except HistoryError as error:
            check_sentence(error, "history.db")
    database = HistoryDatabase(path)
    for write in (
        lambda: database.write([started("b"), ended("b", 1)]),
        lambda: database.prune_some(runs=1, episodes=2),
    ):
        try:
            write()
        except HistoryError as error:
            check_sentence(error, "history.db")
    try:
        database.close()
    except HistoryError as error:
        check_sentence(error, "history.db")
    for copy in folder().glob("history.form*"):
        copy.unlink()


@cache
def history_seed() -> bytes:
    """A small history."""
    path = folder() / "seed" / "history.db"
    path.unlink(missing_ok=True)
    with closing(HistoryDatabase(path)) as database:
        database.write([started("a"), *(ended("a", episode) for episode in range(1, 4))])
    return path.read_bytes()


def older_history_seed(form: int | str) -> bytes:
    """The history that an earlier version left in this form, or a `metrics.db`."""
    path = folder() / "seed" / "older.db"
    for old in path.parent.glob("older.db*"):
        old.unlink()
    if isinstance(form, int):
        restore_form(path, form)
    else:
        make_legacy(path)
    return path.read_bytes()


@cache
def history_log_seed() -> bytes:
    """The log of a history that was not closed."""
    path = put("log/history.db", history_seed())
    with closing(HistoryDatabase(path)) as database:
        database.write([ended("a", 4), started("c")])
        return Path(f"{path}-wal").read_bytes()


# --- runs --------------------------------------------------------------------------------------------------


def run_record(data: bytes) -> None:
    """A run's `run.json`: a record, or `RunNotFoundError` that names the run; the list goes on without it."""
    store = RunStore(folder())
    path = put(f"runs/{RUN}/run.json", data)
    try:
        found = store.read(RUN)
        msgspec.json.encode(found)
    except RunNotFoundError as error:
        check_sentence(error, RUN)
    assert store.resumable() in ([], [RUN])
    store.prune()
    path.unlink(missing_ok=True)


def run_settings() -> Settings:
    """The settings of a server over the folder."""
    return Settings(models_dir=str(folder()), data_dir=str(folder()), device="cpu")


def run_state(data: bytes) -> None:
    """A run's `state.bin`: a run that goes on, or `StartError` that names it."""
    put(f"runs/{RUN}/run.json", msgspec.json.encode(RunRecord(run_id=RUN, parameters=PARAMETERS)))
    put(f"runs/{RUN}/state.bin", data)
    plan = RunPlan(run_id=RUN, parameters=PARAMETERS, resume=True)
    try:
        open_run(plan, run_settings(), recipe=PLAIN_RECIPE)
    except StartError as error:
        check_sentence(error, RUN)


def run_state_content(data: bytes) -> None:
    """What is described within a state that is in order otherwise: past its compression and check sums."""
    packed = io.BytesIO()
    sound = io.BytesIO(zlib.decompress(run_state_seed()))
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive, zipfile.ZipFile(sound) as whole:
        for name in whole.namelist():
            archive.writestr(name, data if name.endswith("data.pkl") else whole.read(name))
    run_state(zlib.compress(packed.getvalue(), 1))


@cache
def run_state_seed() -> bytes:
    """The state of a short run."""
    for name in ("run.json", "state.bin"):
        (folder() / "runs" / RUN / name).unlink(missing_ok=True)
    plan = RunPlan(run_id=RUN, parameters=PARAMETERS, resume=False)
    managed = open_run(plan, run_settings(), recipe=PLAIN_RECIPE)
    while managed.run.completed < 1:
        managed.run.step()
    managed.save()
    return (folder() / "runs" / RUN / "state.bin").read_bytes()


@cache
def state_dict_seed() -> bytes:
    """The weights of a small perceptron, as `torch.save` writes them."""
    layers = torch.nn.Sequential(torch.nn.Linear(72, 2), torch.nn.ReLU(), torch.nn.Linear(2, 5))
    for parameter in layers.parameters():
        torch.nn.init.constant_(parameter, 0.5)
    written = io.BytesIO()
    torch.save(layers.state_dict(), written)
    return written.getvalue()


@cache
def run_state_pickle() -> bytes:
    """The description within that state."""
    with zipfile.ZipFile(io.BytesIO(zlib.decompress(run_state_seed()))) as archive:
        return archive.read(next(name for name in archive.namelist() if name.endswith("data.pkl")))


def unrecorded(data: bytes) -> None:
    """The episodes of a run that may not be in the history yet: episodes, or one kind of error."""
    put(f"runs/{RUN}/unrecorded.json", data)
    try:
        msgspec.json.encode(RunStore(folder()).read_unrecorded(RUN))
    except msgspec.DecodeError as error:
        check_sentence(error, "")


def sweep_record(data: bytes) -> None:
    """A sweep's `sweep.json`: a record, or `SweepNotFoundError` that names the sweep."""
    store = SweepStore(folder())
    put(f"sweeps/{RUN}/sweep.json", data)
    try:
        record = store.read(RUN)
        msgspec.json.encode([store.state_of(record), record.told(), record.is_missing_trials()])
    except SweepNotFoundError as error:
        check_sentence(error, RUN)
    assert store.find_unfinished([]) is None or store.read(RUN).trials == []


def model_cache(data: bytes) -> None:
    """What is kept of models, past its checksum: details, or nothing."""
    digest = hashlib.sha256(data).hexdigest().encode()
    msgspec.json.encode(ModelCache(put("models.cache", digest + data)).read())


def state_dict(data: bytes) -> None:
    """A perceptron from elsewhere: a checkpoint, or a sentence."""
    try:
        read_perceptron(put("perceptron.pt", data))
    except (CheckpointError, ExchangeError) as error:
        check_sentence(error, "perceptron.pt")


# --- recordings, tokens --------------------------------------------------------------------------


def recording(data: bytes) -> None:
    """A recording's file: one that plays, or `RecordingError`."""
    try:
        decode(data, "fuzzed.rec").play()
    except RecordingError as error:
        check_sentence(error, ".rec")


def recording_content(data: bytes) -> None:
    """Decode the content of a recording, past its checksum."""
    recording(b"HAMLETREC\x01" + hashlib.sha256(data).digest() + data)


@cache
def recording_seed() -> bytes:
    """A short recording."""
    return encode(record(actions=[0, 1, 2, 3, 4, 4, 2, 2, 1, 3, 0, 4]))


def tokens(data: bytes) -> None:
    """The tokens file: tokens, or `TokenFileError` that names it."""
    path = put("tokens.json", data)
    try:
        for token in read_tokens(path).tokens:
            token.is_valid()
    except TokenFileError as error:
        check_sentence(error, "tokens.json")


@cache
def company_seed() -> bytes:
    """A short recording of three agents."""
    config = WorldConfig(num_agents=3, contention=True)
    start = start_of(config)
    actions = bytes(range(3)) * 5
    return encode(make_recording(config, start, actions, reasons=["asked_for"], source="session", episode=1))


TRIAL: Final = PlannedTrial(
    trial=SweepTrial(trial=1, run_id=RUN, seed=1, settings={"gamma": 0.9}, world=None, num_episodes=4),
    parameters=PARAMETERS,
)
DETAILS: Final = ModelDetails(name="a.pt", size_bytes=3, modified="2026-01-01T00:00:00Z")
TOKENS: Final = (
    b'{"salt":"00ff","tokens":[{"id":"a1","name":"Ada","role":"teacher","kind":"token","hash":"'
    + b"0" * 64
    + b'","created":"2026-01-01T00:00:00Z","expires":null}],"version":1}'
)


def seeds() -> dict[str, list[bytes]]:
    """Something sound for each target to begin from."""
    return {
        "histories": [history_seed(), *(older_history_seed(form) for form in (*OLDER_FORMS, "legacy"))],
        "history-logs": [history_log_seed()],
        "run-records": [
            msgspec.json.encode(RunRecord(run_id=RUN, parameters=PARAMETERS, model="a.pt", episode=3))
        ],
        "run-states": [run_state_seed()],
        "run-state-pickles": [run_state_pickle()],
        "unrecorded": [msgspec.json.encode([ended(RUN, 1), ended(RUN, 2, failure_reason=None)])],
        "sweep-records": [msgspec.json.encode(SweepRecord(sweep_id=RUN, trials=[TRIAL]))],
        "model-caches": [
            msgspec.json.encode({"form": 1, "version": __version__, "models": {"0" * 64: DETAILS}})
        ],
        "state-dicts": [state_dict_seed()],
        "recordings": [recording_seed(), company_seed()],
        "recording-contents": [recording_seed()[42:], company_seed()[42:]],
        "tokens": [TOKENS],
    }


TARGETS: Final[dict[str, Any]] = {
    "histories": history,
    "history-logs": history_log,
    "run-records": run_record,
    "run-states": run_state,
    "run-state-pickles": run_state_content,
    "unrecorded": unrecorded,
    "sweep-records": sweep_record,
    "model-caches": model_cache,
    "state-dicts": state_dict,
    "recordings": recording,
    "recording-contents": recording_content,
    "tokens": tokens,
}
"""Every target by the name of its corpus."""
