"""Define the errors that the user of the command line can fix."""


class UserError(Exception):
    """Report something the user can fix; the text says how. The exit code is 1."""
