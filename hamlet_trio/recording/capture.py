"""Make a recording of an episode that was played."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from hamlet_trio import __version__
from hamlet_trio.recording.file import Recording, RecordingError
from hamlet_trio.recording.info import MAX_STEPS, Reason, RecordingInfo, Source, new_id
from hamlet_trio.recording.markers import find_markers
from hamlet_trio.recording.trajectory import Trajectory, play
from hamlet_trio.world import RULES_VERSION, WorldConfig, WorldState


class PolicyOutputs(NamedTuple):
    """Q-values (N, 5), attention (N, 6, 6) and values (N, K) of the options to K places, each float32.

    None for those that a model does not have; `options` are the places' names.
    """

    q_values: NDArray[np.float32] | None = None
    attention: NDArray[np.float32] | None = None
    option_values: NDArray[np.float32] | None = None
    options: tuple[str, ...] = ()


class RecordingPolicy(Protocol):
    """The part of `agent.policy.Policy` that is needed here, so that this imports no torch."""

    def act(self, observations: NDArray[np.float32], *, attention: bool = False) -> Any:
        """Return the `PolicyOutput` of observations (n, observation_size)."""
        ...


def make_recording(
    config: WorldConfig,
    start: WorldState,
    actions: bytes | Sequence[int],
    *,
    reasons: Sequence[Reason],
    source: Source,
    episode: int,
    run_id: str | None = None,
    model: str | None = None,
    session_id: str | None = None,
    policy: RecordingPolicy | None = None,
) -> Recording:
    """Return a recording of the episode of `actions` from `start`.

    The outputs of `policy` for each observation go with it, computed in one pass afterwards, so that nothing
    is kept while the episode is played. Takes tens of milliseconds for 500 steps: call it from a thread.

    Raises `RecordingError` for an episode of no steps or more than `MAX_STEPS`, and `ValueError` as `play`
    does.
    """
    if not 1 <= len(actions) <= MAX_STEPS:
        raise RecordingError(
            f"The episode has {len(actions)} steps; one of 1 to {MAX_STEPS} steps can be recorded."
        )
    trajectory = play(config, start, actions)
    outputs = policy_outputs(policy, trajectory)
    ended = None
    if trajectory.over:
        ended = "meter_depleted" if trajectory.terminated else "max_steps"
    info = RecordingInfo(
        recording=new_id(run_id, episode),
        created=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        reasons=tuple(reasons),
        source=source,
        run_id=run_id,
        model=model,
        episode=episode,
        steps=trajectory.steps,
        episode_return=float(trajectory.returns()[-1]),
        ended=ended,  # type: ignore[arg-type]  # the two literals above
        failure_reason=trajectory.failure_reason,
        q_values=outputs.q_values is not None,
        attention=outputs.attention is not None,
        markers=find_markers(trajectory),
        package_version=__version__,
        rules_version=RULES_VERSION,
    )
    return Recording(
        info=info,
        config=config,
        start=start,
        actions=trajectory.actions[1:],
        q_values=outputs.q_values,
        attention=outputs.attention,
        options=outputs.options,
        option_values=outputs.option_values,
        digest=trajectory.digest(),
        session_id=session_id,
    )


def policy_outputs(policy: RecordingPolicy | None, trajectory: Trajectory) -> PolicyOutputs:
    """Return a policy's outputs for each observation of a trajectory, computed in one pass."""
    if policy is None or trajectory.steps == 0:
        return PolicyOutputs()
    output = policy.act(trajectory.observations, attention=True)
    # Finite weights can still overflow in a forward pass; what is shown is always finite.
    attention = None if output.attention is None else np.nan_to_num(output.attention)
    names = {place.code: place.name for place in trajectory.config.affordances}
    columns = [column for column, code in enumerate(output.option_codes) if code in names]
    if not columns:
        return PolicyOutputs(np.nan_to_num(output.q_values), attention)
    return PolicyOutputs(
        np.nan_to_num(output.q_values),
        attention,
        np.nan_to_num(output.option_values[:, columns]),
        tuple(names[output.option_codes[column]] for column in columns),
    )
