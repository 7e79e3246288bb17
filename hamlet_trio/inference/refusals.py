"""Why a session refuses a command in its present state: each a sentence, ready to be sent."""

from typing import Final

from hamlet_trio.common.agents import AGENT_IDS
from hamlet_trio.inference.policies import LoadedPolicy
from hamlet_trio.protocol.errors import BadMessageError, ErrorCode
from hamlet_trio.world import WorldConfig

_SENTENCES: Final = {
    ErrorCode.HUMAN_IN_CONTROL: "A person plays this session: send `act`, or `release_control` first.",
    ErrorCode.STEP_WHILE_PLAYING: "`step` works while paused only; send `pause` first.",
    ErrorCode.NOT_IN_CONTROL: "No person plays this; send `take_control` first.",
    ErrorCode.NOTHING_TO_RECORD: "The episode has no step yet; send `record` after its first one.",
    ErrorCode.NOT_IN_REPLAY: "No replay is on; this is the session's own episode.",
    ErrorCode.RECORDING_ENDED: "The replay is at its end; send `seek` to go back, or `leave_replay`.",
    ErrorCode.CANNOT_BRANCH: "The recording's world is not that of this session; it can only be watched.",
    ErrorCode.SESSION_BUSY: "Send `resume_session` before any other command, once on a connection.",
    ErrorCode.INTERNAL_ERROR: "This could not be made; the server's log has the cause.",
    ErrorCode.RATE_LIMITED: "Too many commands wait already; this one was not carried out.",
}


def refusal(code: ErrorCode, command: str | None = None) -> BadMessageError:
    """Return the refusal of a command for one of the reasons that need no more words."""
    return BadMessageError(code, _SENTENCES[code], command=command)


def too_many_worlds(most: int, command: str) -> BadMessageError:
    """Return the refusal of one more world than sessions may play in at once."""
    sentence = (
        f"Sessions play in {most} different worlds beside the usual one, the most that are allowed at once; "
    )
    return BadMessageError(
        ErrorCode.TOO_MANY_WORLDS, sentence + "choose one that is in use.", command=command
    )


def recorded_already() -> BadMessageError:
    """Return the refusal to record what is a recording."""
    sentence = "This is a recording already; send `leave_replay` first."
    return BadMessageError(ErrorCode.NOTHING_TO_RECORD, sentence, command="record")


def unknown_agent(num_agents: int, command: str) -> BadMessageError:
    """Return the refusal of a command for an agent that the session does not have."""
    known = AGENT_IDS[0] if num_agents == 1 else f"{AGENT_IDS[0]} to {AGENT_IDS[num_agents - 1]}"
    sentence = f"`agent` must be one of those here: {known}; `set_world` changes their number."
    return BadMessageError(ErrorCode.OUT_OF_RANGE, sentence, command=command, field="agent")


def unreadable_world(model: LoadedPolicy, config: WorldConfig, command: str) -> BadMessageError:
    """Return the refusal of a model whose network cannot read a world."""
    sentence = model.policy.spec.misfit(model.name or "The untrained agent", config)
    return BadMessageError(ErrorCode.UNUSABLE_MODEL, sentence, command=command)
