"""Sweeps: many runs that differ in seeds, settings and worlds, as many at once as there are cores."""
