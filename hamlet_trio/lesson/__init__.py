"""The guided lesson: a file that a teacher can edit, checked when it is read."""
