"""Films of recordings: frames drawn off screen, encoded with a packaged ffmpeg.

`render` makes one, `worker` is a process that does. Neither imports Pillow or ffmpeg, which the extra `film`
installs, before it draws. `formats` imports nothing.
"""
