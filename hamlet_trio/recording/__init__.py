"""Episodes worth seeing again: compact files that replay bit for bit.

A file holds how an episode began and what was done in it; the rules give the rest. Beside that it carries
what the model thought at each step. `making` makes one, `folder` keeps them. `info`, which the wire knows,
imports no numpy.
"""
