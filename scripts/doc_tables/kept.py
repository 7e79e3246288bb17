"""Which forms of the wire are kept: clients built elsewhere read them, and they never change.

Everything that is not named here was added by this server. An older client ignores it.
"""

from typing import Final

COMMANDS: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "inference": {
        "play": (),
        "pause": (),
        "step": (),
        "reset": (),
        "set_speed": ("speed",),
        "load_model": ("model",),
    },
    "training": {
        "start_training": ("num_episodes", "batch_size", "buffer_capacity", "show_every", "step_delay"),
        "pause": (),
        "resume": (),
        "status": (),
    },
    "room": {},
}
"""Kept commands of each endpoint, with their kept fields."""

MESSAGES: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "inference": {
        "connected": ("available_models",),
        "episode_start": ("episode", "model_name"),
        "state_update": (
            "step",
            "action",
            "reward",
            "cumulative_reward",
            "done",
            "grid",
            "agents",
            "info",
        ),
        "episode_end": ("episode", "steps", "total_reward", "reason"),
        "model_loaded": ("model",),
        "error": ("message",),
    },
    "training": {
        "training_status": ("is_training", "current_episode", "total_episodes"),
        "training_started": ("num_episodes",),
        "episode_start": ("episode", "epsilon"),
        "state_update": (
            "step",
            "action",
            "reward",
            "cumulative_reward",
            "done",
            "grid",
            "agents",
            "agent_meters",
            "affordances",
            "info",
            "episode",
            "heat_map",
        ),
        "episode_complete": (
            "episode",
            "reward",
            "length",
            "loss",
            "epsilon",
            "avg_reward_5",
            "avg_length_5",
            "avg_loss_5",
            "buffer_size",
            "failure_reason",
        ),
        "paused": (),
        "resumed": (),
        "training_complete": ("model_saved", "final_avg_reward", "final_avg_length"),
        "error": ("message",),
    },
    "room": {},
}
"""Kept messages of each endpoint, with their kept fields."""

ROUTES: Final = (
    "GET /",
    "GET /api/status",
    "GET /api/models",
    "GET /api/failures",
    "GET /api/failure_summary",
)
"""Kept HTTP routes."""
