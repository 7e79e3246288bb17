"""Hold the helpers that every part may use: backoff, files, locks, text and descriptions of fields."""
