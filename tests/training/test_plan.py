"""What a start command may ask of a run that goes on."""

from pathlib import Path

import msgspec
import pytest

from hamlet_trio.agent.models import ModelFolder
from hamlet_trio.protocol.errors import BadMessageError, ErrorCode
from hamlet_trio.protocol.parameters import TrainingParameters
from hamlet_trio.training.plan import make_plan
from hamlet_trio.training.run_result import RunResult
from hamlet_trio.training.store import RunStore
from tests.training.local_runs import after, train


@pytest.fixture
def models(tmp_path: Path) -> ModelFolder:
    return ModelFolder.of(models_dir=str(tmp_path / "models"), data_dir=str(tmp_path / "data"))


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "data")


def interrupted(parameters: TrainingParameters, tmp_path: Path, out: Path | None = None) -> RunResult:
    """A run that was asked to end after some 30 steps."""
    return train(tmp_path, parameters, out=out, should_stop=after(30))


def test_a_resumed_run_keeps_its_parameters_and_says_so(
    parameters: TrainingParameters, tmp_path: Path, store: RunStore, models: ModelFolder
) -> None:
    run_id = interrupted(parameters, tmp_path).run_id
    plan = make_plan(TrainingParameters(resume_from=run_id), store, models)
    assert plan.resume
    assert plan.parameters == parameters
    same = msgspec.structs.replace(parameters, resume_from=run_id)
    assert make_plan(same, store, models).parameters == parameters
    with pytest.raises(
        BadMessageError, match=r"^`gamma` of a resumed run cannot be changed: it is 0.98; 0.5"
    ) as caught:
        make_plan(TrainingParameters(resume_from=run_id, gamma=0.5), store, models)
    assert caught.value.code is ErrorCode.OUT_OF_RANGE
    assert caught.value.field == "gamma"


def test_a_damaged_model_is_refused_before_a_run_begins(store: RunStore, models: ModelFolder) -> None:
    models.path.mkdir()
    (models.path / "torn.pt").write_bytes(b"PK torn")
    with pytest.raises(BadMessageError, match=r"torn\.pt") as caught:
        make_plan(TrainingParameters(resume_from="torn.pt"), store, models)
    assert caught.value.code is ErrorCode.UNUSABLE_MODEL
    assert caught.value.field == "resume_from"


def test_a_model_keeps_its_network(
    parameters: TrainingParameters, tmp_path: Path, store: RunStore, models: ModelFolder
) -> None:
    train(tmp_path, msgspec.structs.replace(parameters, num_episodes=1))
    with pytest.raises(BadMessageError, match=r"`network_type` of trained_agent\.pt is qnetwork") as caught:
        make_plan(
            TrainingParameters(resume_from="trained_agent.pt", network_type="relational"), store, models
        )
    assert caught.value.field == "network_type"


def test_a_resumed_run_saves_where_it_saved_before(parameters: TrainingParameters, tmp_path: Path) -> None:
    mine = tmp_path / "elsewhere" / "mine.pt"
    first = interrupted(parameters, tmp_path, mine)
    assert first.model == mine
    before = mine.read_bytes()
    on = train(tmp_path, TrainingParameters(resume_from=first.run_id))
    assert on.how == "complete"
    assert on.model == mine
    assert mine.read_bytes() != before
    assert not (tmp_path / "models").exists()
