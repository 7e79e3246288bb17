"""What kinds of film there are."""

from typing import Final, Literal, get_args

FilmFormat = Literal["mp4", "webm", "gif"]
FORMATS: Final[tuple[FilmFormat, ...]] = get_args(FilmFormat)

SPEEDS: Final = (0.1, 6.0)
"""Multiples of ten steps a second that a film can run at; 60 frames a second is what screens show."""
