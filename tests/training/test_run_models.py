"""What runs save: files of their own, the last finished one, and no more than a quota."""

import os
import time
from pathlib import Path

import msgspec
import pytest

from hamlet_trio.agent.checkpoint import load_checkpoint
from hamlet_trio.agent.given_names import GivenNames
from hamlet_trio.agent.models import ModelFolder
from hamlet_trio.protocol.parameters import TrainingParameters
from hamlet_trio.training.run_models import RunModels
from hamlet_trio.training.store import RunRecord, RunStore
from tests.training.local_runs import after, train


@pytest.fixture
def models(tmp_path: Path) -> ModelFolder:
    return ModelFolder.of(models_dir=str(tmp_path / "models"), data_dir=str(tmp_path / "data"))


def test_trained_agent_is_the_last_finished_run_s_and_the_shipped_one_stays(
    parameters: TrainingParameters, models: ModelFolder, tmp_path: Path
) -> None:
    shipped = train(tmp_path / "shipping", parameters, out=models.path / "trained_agent.pt").model
    assert shipped is not None
    before = shipped.read_bytes()
    assert models.names() == models.default_names() == ["trained_agent.pt"]
    short = msgspec.structs.replace(parameters, num_episodes=2)
    own = shipped
    for seed in (1, 2):
        own = train(tmp_path, msgspec.structs.replace(short, seed=seed)).model or shipped
        assert models.resolve("trained_agent.pt").read_bytes() == own.read_bytes()
        assert models.names()[:3] == ["trained_agent.pt", "shipped_agent.pt", own.name]
    interrupted = train(tmp_path, parameters, should_stop=after(50)).model
    assert interrupted is not None
    assert models.resolve("trained_agent.pt").read_bytes() == own.read_bytes()
    assert shipped.read_bytes() == models.resolve("shipped_agent.pt").read_bytes() == before
    assert models.default_names() == ["shipped_agent.pt"]
    details = {one.name: one for one in models.details()}
    assert [one.name for one in details.values() if one.is_default] == ["shipped_agent.pt"]
    assert {one.name for one in details.values() if one.source == "shipped"} == {"shipped_agent.pt"}
    assert details["trained_agent.pt"].same_as == own.name


def test_a_run_that_ends_earlier_or_later_than_planned_is_named_after_what_it_made(
    parameters: TrainingParameters, tmp_path: Path
) -> None:
    first = train(tmp_path, parameters, should_stop=after(90))
    assert first.model is not None
    assert first.model.name == f"run-{first.run_id}-ep6.pt"
    resumed = TrainingParameters(resume_from=first.run_id, num_episodes=8)
    with pytest.raises(Exception, match="can only be raised"):
        train(tmp_path, msgspec.structs.replace(resumed, num_episodes=5))
    longer = train(tmp_path, resumed).model
    assert longer is not None
    assert longer.name == f"run-{first.run_id}-ep8.pt"
    assert load_checkpoint(longer).metadata.episode == 8
    assert not first.model.exists()


def test_past_the_quota_the_oldest_go_but_named_unfinished_and_future_ones_stay(
    parameters: TrainingParameters, tmp_path: Path
) -> None:
    store = RunStore(tmp_path)
    models = RunModels(store, kept=2)
    models.path.mkdir()
    now = time.time()
    old = [f"run-2025010{day}-000000-aaaaaa-ep5.pt" for day in range(1, 6)]
    unfinished, future = "run-20240101-000000-bbbbbb-ep5.pt", "run-20990101-000000-cccccc-ep5.pt"
    store.write(RunRecord(run_id="20240101-000000-bbbbbb", parameters=parameters))
    ages = {name: 1000.0 - 100 * index for index, name in enumerate(old)}
    ages |= {unfinished: 9000, "class.pt": 9000, "trained_agent.pt": 9000, future: -10 * 365 * 86_400}
    for name, age in ages.items():
        (models.path / name).write_bytes(b"model")
        os.utime(models.path / name, (now - age, now - age))
    models.prune()
    assert {path.name for path in models.path.iterdir()} == {
        *old[-2:], unfinished, future, "class.pt", "trained_agent.pt"
    }  # fmt: skip


def test_no_quota_removes_a_model_that_a_person_named(tmp_path: Path) -> None:
    models = RunModels(RunStore(tmp_path), kept=1)
    models.path.mkdir()
    now = time.time()
    old = [f"run-2025010{day}-000000-aaaaaa-ep5.pt" for day in range(1, 5)]
    for index, name in enumerate(old):
        (models.path / name).write_bytes(b"model")
        os.utime(models.path / name, (now - 1000 + index, now - 1000 + index))
    names = GivenNames(models.path)
    names.give(old[0], "Champion")
    models.prune()
    assert {path.name for path in models.path.glob("*.pt")} == {old[0], old[-1]}
    models.drop(models.path / old[0])
    assert (models.path / old[0]).exists()
    # While the names cannot be read, any model may have one.
    (models.path / old[1]).write_bytes(b"model")
    names.path.write_bytes(b"{")
    models.prune()
    models.drop(models.path / old[1])
    assert (models.path / old[1]).exists()
    names.path.unlink()
    models.drop(models.path / old[1])
    models.prune()
    assert {path.name for path in models.path.glob("*.pt")} == {old[-1]}
