"""Recordings: compact files of episodes, which replay bit for bit.

A file holds an episode's start and actions; the rules give the rest. It also carries the model's outputs at
each step. `capture` makes a recording, `folder` stores them. `info`, which the protocol uses, imports no
numpy.
"""
