"""Hold the helpers that every part may use: files, locks, text and descriptions of fields."""
