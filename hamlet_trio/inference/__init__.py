"""Inference: sessions that play models, each in its own world, stepped together by one engine.

Importing this imports neither torch nor numpy, so that a server answers before they are loaded.
"""

from hamlet_trio.inference.service import InferenceService
from hamlet_trio.inference.session import serve_session
from hamlet_trio.inference.statistics import EngineCounters, InferenceStatistics, SessionCounters

__all__ = [
    "EngineCounters",
    "InferenceService",
    "InferenceStatistics",
    "SessionCounters",
    "serve_session",
]
