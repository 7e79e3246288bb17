"""Make a recording of an episode that was played."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Protocol, TypeAlias

import numpy as np
from msgspec import UNSET
from numpy.typing import NDArray

from hamlet_trio import __version__
from hamlet_trio.common.agents import first_failure
from hamlet_trio.recording.file import PolicyOutputs, Recording, RecordingError
from hamlet_trio.recording.info import MAX_STEPS, Reason, RecordingInfo, Source, new_id
from hamlet_trio.recording.markers import find_markers
from hamlet_trio.recording.trajectory import Trajectory, digest_of, play_company, results_of
from hamlet_trio.world import RULES_VERSION, WorldConfig, WorldState


class RecordingPolicy(Protocol):
    """The part of `agent.policy.Policy` that is needed here, so that this imports no torch."""

    def act(self, observations: NDArray[np.float32], *, attention: bool = False) -> Any:
        """Return the `PolicyOutput` of observations (n, observation_size)."""
        ...


RecordingPolicies: TypeAlias = RecordingPolicy | tuple[RecordingPolicy, ...] | None
"""The policy of all agents, or one for each."""


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
    policy: RecordingPolicies = None,
) -> Recording:
    """Return a recording of the episode of `actions` from `start`; with several agents, one of each a step.

    The outputs of `policy` for each observation go with it, computed in one pass afterwards, so that nothing
    is kept while the episode is played. Takes tens of milliseconds for 500 steps: call it from a thread.

    Raises `RecordingError` for an episode of no steps or more than `MAX_STEPS` of all agents together, and
    `ValueError` as `play_company` does.
    """
    agents = config.num_agents
    most = MAX_STEPS // agents
    if not 1 <= len(actions) // agents <= most:
        raise RecordingError(
            f"The episode has {len(actions) // agents} steps; one of 1 to {most} steps can be recorded."
        )
    trajectories = play_company(config, start, actions)
    first, *others = outputs_of_all(policy, trajectories)
    results = results_of(trajectories)
    ended = None
    if all(one.over for one in trajectories):
        ended = "max_steps" if any(one.truncated for one in trajectories) else "meter_depleted"
    info = RecordingInfo(
        recording=new_id(run_id, episode),
        created=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        reasons=tuple(reasons),
        source=source,
        run_id=run_id,
        model=model,
        episode=episode,
        steps=trajectories[0].steps,
        episode_return=float(np.mean([one.returns()[-1] for one in trajectories])),
        ended=ended,  # type: ignore[arg-type]  # the two literals above
        failure_reason=first_failure(results.values()),
        q_values=first.q_values is not None,
        attention=first.attention is not None,
        markers=find_markers(*trajectories),
        package_version=__version__,
        rules_version=RULES_VERSION,
        agents=results if agents > 1 else UNSET,
    )
    return Recording(
        info=info,
        config=config,
        start=start,
        actions=np.stack([one.actions[1:] for one in trajectories], axis=1).ravel(),
        q_values=first.q_values,
        attention=first.attention,
        options=first.options,
        option_values=first.option_values,
        digest=digest_of(trajectories),
        session_id=session_id,
        others=tuple(others),
    )


def outputs_of_all(
    policy: RecordingPolicies, trajectories: Sequence[Trajectory]
) -> tuple[PolicyOutputs, ...]:
    """Return the outputs of each agent's policy for each of its observations, as `policy_outputs`."""
    each = policy if isinstance(policy, tuple) else (policy,) * len(trajectories)
    return tuple(policy_outputs(*both) for both in zip(each, trajectories, strict=True))


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
