"""What is told of a run by an instance that did not train it to its end."""

import msgspec
import pytest

from hamlet_trio.logs import get_logger
from hamlet_trio.protocol.parameters import TrainingParameters
from hamlet_trio.training.hub import Hub
from hamlet_trio.training.run_status import RunStatus
from hamlet_trio.training.store import RunRecord


@pytest.mark.parametrize(
    ("state", "told", "phase"),
    [
        ("complete", "training_complete", "idle"),
        ("stopped", "training_stopped", "idle"),
        ("failed", "training_failed", "failed"),
    ],
)
async def test_a_run_that_ended_without_an_episode_is_told_as_it_ended(
    state: str, told: str, phase: str
) -> None:
    hub = Hub(max_events=100, max_frames=1, on_watched=lambda _: None)
    status = RunStatus(hub, get_logger(service="test"))
    parameters = TrainingParameters()
    status.begin("20250101-000000-abcdef", parameters)
    with hub.joined("test") as viewer:
        fields = {
            "run_id": "20250101-000000-abcdef",
            "parameters": parameters,
            "state": state,
            "model": "a.pt",
        }
        status.conclude(msgspec.convert(fields, RunRecord), "models/trained_agent.pt")
        first = msgspec.json.decode(await viewer.queue.get())
    assert (first["type"], first["model_saved"]) == (told, "models/trained_agent.pt")
    assert status.phase.state == phase
