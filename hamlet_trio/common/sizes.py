"""How large a world from a file or a command may be. In Python a world may be larger."""

from typing import Final

from hamlet_trio.common.agents import MAX_AGENTS

SHORTEST_SIDE: Final = 2
MAX_SIDE: Final = 32
"""Cells on a side, at most."""

SIZES: Final = {
    "width": (SHORTEST_SIDE, MAX_SIDE),
    "height": (SHORTEST_SIDE, MAX_SIDE),
    "num_agents": (1, MAX_AGENTS),
}
"""The least and the most of each field of a world's size."""
