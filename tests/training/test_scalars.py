"""Event files for TensorBoard, read back with TensorBoard itself."""

import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hamlet_trio.protocol.episode import EpisodeComplete
from hamlet_trio.protocol.parameters import TrainingParameters
from hamlet_trio.settings import Settings
from hamlet_trio.training.managed_run import StartError
from hamlet_trio.training.run import TrainingRun
from hamlet_trio.training.scalars import EpisodeScalars
from hamlet_trio.world.world_file import digest_of_changes
from tests.needs import left_out
from tests.training.local_runs import Listener, after, managed, train


@pytest.fixture
def event_files() -> Any:
    """TensorBoard's own reader, or the reason why this is left out."""
    try:
        from tensorboard.backend.event_processing import event_accumulator
    except ImportError:
        left_out("needs the extra tensorboard")
    return event_accumulator


def scalars(event_files: Any, folder: Path) -> dict[str, list[tuple[int, float]]]:
    """All points of a run's folder, by tag."""
    reader = event_files.EventAccumulator(str(folder))
    reader.Reload()
    return {
        tag: [(point.step, point.value) for point in reader.Scalars(tag)] for tag in reader.Tags()["scalars"]
    }


def close(points: list[tuple[int, float]], expected: list[tuple[int, float]]) -> bool:
    """Whether these are the points; TensorBoard keeps 32 bits of a value."""
    return [step for step, _ in points] == [step for step, _ in expected] and [
        value for _, value in points
    ] == pytest.approx([value for _, value in expected], rel=1e-6)


def test_a_run_has_the_usual_tags_at_its_steps_and_goes_on_where_it_was_saved(
    event_files: Any, parameters: TrainingParameters, tmp_path: Path
) -> None:
    listener = Listener()
    options: dict[str, Any] = {"settings": {"tensorboard": True}, "listener": listener}
    first = train(tmp_path, parameters, **options, should_stop=after(70))
    train(tmp_path, TrainingParameters(resume_from=first.run_id), **options)
    told = listener.episodes
    (folder,) = (tmp_path / "data" / "tensorboard").iterdir()
    assert folder.name == first.run_id
    found = scalars(event_files, folder)
    steps = [sum(one.length for one in told[: number + 1]) for number in range(len(told))]
    fields = {
        "charts/episodic_return": "reward",
        "charts/episodic_length": "length",
        "charts/epsilon": "epsilon",
        "charts/SPS": "steps_per_second",
        "losses/td_loss": "loss",
        "losses/q_values": "q_value",
    }
    assert fields.keys() < found.keys()
    for tag, field in fields.items():
        values = [(step, getattr(one, field)) for step, one in zip(steps, told, strict=True)]
        expected = [(step, value) for step, value in values if value is not None]
        assert close(found[tag], expected), tag
    for start in ("evaluation", "evaluation_random"):
        summaries = [(step, getattr(one, start)) for step, one in zip(steps, told, strict=True)]
        for name in ("mean_length", "mean_return"):
            expected = [(step, getattr(one, name)) for step, one in summaries if one is not msgspec.UNSET]
            assert expected
            assert close(found[f"{start}/{name}"], expected)


@pytest.mark.parametrize(
    ("world", "name"),
    [
        ("two-bars", "Two bars"),
        ({"width": 9}, f"9 x 8 cells, digest {digest_of_changes({'width': 9})}"),
        (None, ""),
    ],
)
def test_tensorboards_table_of_runs_has_the_parameters(
    event_files: Any, parameters: TrainingParameters, tmp_path: Path, world: Any, name: str
) -> None:
    from tensorboard.plugins.hparams import metadata, plugin_data_pb2  # an extra

    train(tmp_path, msgspec.structs.replace(parameters, world=world), settings={"tensorboard": True})
    (folder,) = (tmp_path / "data" / "tensorboard").iterdir()
    reader = event_files.EventAccumulator(str(folder))
    reader.Reload()
    content = reader.PluginTagToContent("hparams")
    started = plugin_data_pb2.HParamsPluginData.FromString(content[metadata.SESSION_START_INFO_TAG])
    found = started.session_start_info.hparams
    assert found["network_type"].string_value == parameters.network_type
    assert found["seed"].number_value == parameters.seed
    assert found["world"].string_value == name
    experiment = plugin_data_pb2.HParamsPluginData.FromString(content[metadata.EXPERIMENT_TAG]).experiment
    compared = {info.name.tag for info in experiment.metric_infos}
    assert "evaluation_random/mean_length" in compared
    assert compared <= set(reader.Tags()["scalars"])


@pytest.mark.long
async def test_runs_of_a_server_write_them_where_the_setting_says_so(
    event_files: Any,
    serving: Callable[..., AbstractAsyncContextManager[Any]],
    settings: Settings,
    parameters: TrainingParameters,
) -> None:
    async with serving(msgspec.structs.replace(settings, tensorboard=True)) as server:
        client = await server.connect()
        await client.send("start_training", **msgspec.to_builtins(parameters))
        run_id = (await client.until("training_started"))["run_id"]
        await client.until("training_complete")
    found = scalars(event_files, Path(settings.data_dir) / "tensorboard" / run_id)
    assert len(found["charts/episodic_return"]) == 6


def test_without_tensorboard_a_run_says_what_to_install(
    parameters: TrainingParameters, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(StartError, match=r"pip install 'hamlet-trio\[tensorboard\]'"):
        train(tmp_path, parameters, settings={"tensorboard": True})


def test_trouble_is_reported_once_and_ends_nothing(
    event_files: Any,
    record: Callable[[int], EpisodeComplete],
    parameters: TrainingParameters,
    tmp_path: Path,
) -> None:
    in_the_way = tmp_path / "run"
    in_the_way.write_text("a file where the folder should be")
    listener = Listener()
    scalars = EpisodeScalars(in_the_way, listener)
    scalars.on_start(managed(TrainingRun(parameters, device="cpu"), "20250101-000000-abcdef"))
    for episode in (1, 2):
        scalars.on_episode(record(episode))
    assert len(listener.problems) == 1
    assert "cannot be written" in listener.problems[0]
