"""The settings: every field, where its value comes from, and what is refused."""

from hamlet_trio.settings.fields import (
    PREFIX,
    PRODUCTION_DEFAULTS,
    LogFormat,
    Login,
    Settings,
    SettingsError,
)
from hamlet_trio.settings.loading import load_settings
from hamlet_trio.settings.variables import unknown_variables

__all__ = [
    "PREFIX",
    "PRODUCTION_DEFAULTS",
    "LogFormat",
    "Login",
    "Settings",
    "SettingsError",
    "load_settings",
    "unknown_variables",
]
