"""Films of recordings: frames drawn off screen, encoded with a packaged ffmpeg.

Importing this imports neither Pillow nor ffmpeg; both come with the extra `film`.
"""

from hamlet_trio.film.making import (
    FORMATS,
    FilmCancelledError,
    FilmError,
    FilmFormat,
    format_of,
    frame_count,
    make_film,
)

__all__ = [
    "FORMATS",
    "FilmCancelledError",
    "FilmError",
    "FilmFormat",
    "format_of",
    "frame_count",
    "make_film",
]
