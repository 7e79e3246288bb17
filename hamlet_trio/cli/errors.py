"""What the command line says when a person can mend it."""


class UserError(Exception):
    """Something the person at the keyboard can mend; its text says how. Ends with exit code 1."""
