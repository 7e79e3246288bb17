"""Helpers that every part may use: files, locks, text, descriptions of fields; standard library and msgspec."""
