"""The error that ends a session. Imports neither torch nor numpy."""


class EngineError(Exception):
    """A request could not be answered; its cause tells why. The state of its world is undefined."""
