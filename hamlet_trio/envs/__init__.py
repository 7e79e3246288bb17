"""The doors for researchers' tools: environments for Gymnasium, single and vectorised, and for PettingZoo.

They need the extra `gym`; rendering as pictures needs `film` too, and a window `human`.
"""
