"""Generate the table of the networks' parameters."""

from typing import Final

from hamlet_trio.agent.networks import NETWORKS, build_network
from hamlet_trio.world import ACTIONS, WorldConfig
from scripts.doc_tables.markdown import code, table


def parameters() -> str:
    """List each network's weights with their shapes, of default sizes in the usual world."""
    world = WorldConfig()
    rows = []
    for name in NETWORKS:
        network = build_network(name, world.observation_size, len(ACTIONS), world.width, world.height)
        rows += [
            (code(name), code(key), " x ".join(map(str, tensor.shape)))
            for key, tensor in network.state_dict().items()
        ]
    return table(("Type", "Parameter", "Shape"), rows)


TABLES: Final = {"network-parameters": parameters}
