"""What version 2.0.0 wrote is read: a run in the middle of an episode, its model, a recording, tokens.

The files were written by that version's own code; tests/history/test_forms.py has its history.
"""

import shutil
from pathlib import Path

import pytest

from hamlet_trio.agent.checkpoint import load_checkpoint
from hamlet_trio.agent.models import ModelFolder
from hamlet_trio.protocol.episode import EpisodeComplete
from hamlet_trio.protocol.parameters import TrainingParameters
from hamlet_trio.recording.folder import RecordingFolder
from hamlet_trio.settings import Settings
from hamlet_trio.training.managed_run import open_run
from hamlet_trio.training.plan import make_plan
from hamlet_trio.training.store import RunStore
from hamlet_trio.web.access.roles import Role
from hamlet_trio.web.access.token_file import change_tokens, read_tokens
from hamlet_trio.web.access.tokens import Token, Tokens, new_token

RUN = "20260101-000000-aaaaaa"
RECORDING = "20261128-235151-69a28e"


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """A copy of that version's folders."""
    shutil.copytree(Path(__file__).parent / "written_by_2_0_0", tmp_path / "older")
    return tmp_path / "older"


def test_an_interrupted_run_goes_on_as_it_would_have(older: Path) -> None:
    store, models = RunStore(older / "data"), ModelFolder(older / "models")
    assert store.resumable() == [RUN]
    plan = make_plan(TrainingParameters(resume_from=RUN), store, models)
    settings = Settings(models_dir=str(models.path), data_dir=str(store.data_dir), device="cpu")
    managed = open_run(plan, settings)
    assert (managed.run.completed, managed.run.episode_step) == (3, 7)
    assert [episode.q_value for episode in managed.series.message().episodes] == [None] * 3
    ended: list[EpisodeComplete] = []
    while not managed.run.finished:
        ended += managed.run.step().records
    # As that version's own code played them.
    assert [(episode.episode, episode.length) for episode in ended] == [(4, 30), (5, 30), (6, 30)]
    rewards = [episode.reward for episode in ended]
    assert rewards == pytest.approx([51.24175, 51.5472, 48.998375], abs=1e-5)
    managed.save()
    assert store.read(RUN).episode == 6


def test_its_model_is_listed_and_loaded(older: Path) -> None:
    (details,) = ModelFolder(older / "models").details()
    assert (details.name, details.network_type, details.episode) == ("trained_agent.pt", "qnetwork", 3)
    assert details.error is None
    assert load_checkpoint(older / "models" / "trained_agent.pt").spec.network_type == "qnetwork"


def test_its_recording_is_listed_and_plays_out_the_same(older: Path) -> None:
    folder = RecordingFolder(older / "data" / "recordings", kept=1)
    (listed,) = folder.entries()
    assert listed.info is not None
    assert listed.info.steps == 12
    folder.load(RECORDING).play()


def test_its_tokens_admit_and_can_be_changed(older: Path) -> None:
    path = older / "data" / "tokens.json"
    (token,) = read_tokens(path).tokens
    assert (token.name, token.grants, token.is_valid()) == ("Ada", Role.TEACHER, True)

    def add(tokens: Tokens) -> tuple[Tokens, Token]:
        changed, made, _ = new_token(tokens, name="Ben", role="viewer", kind="token")
        return changed, made

    added = change_tokens(path, add)
    assert read_tokens(path).tokens == (token, added)
