"""The formats and speeds of films."""

from typing import Final, Literal, get_args

FilmFormat = Literal["mp4", "webm", "gif"]
FORMATS: Final[tuple[FilmFormat, ...]] = get_args(FilmFormat)

SPEEDS: Final = (0.1, 6.0)
"""The slowest and the fastest film, as multiples of ten steps a second; screens show 60 frames a second."""
