"""Train three agents together and three copies alone, and let both live together: who lives longer?

For each seed the same learner trains twice, once with one agent and once with three that share it, each place
serving one agent a step. Then three copies of each policy live in one world with contention, from the usual
start and from random ones. Results are kept in a folder, so that what is there is not made again.
"""

from bench.company.command import main

__all__ = ["main"]
