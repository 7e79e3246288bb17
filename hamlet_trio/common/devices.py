"""Name the devices that torch may compute on, for parts that must not wait for torch to be imported."""

from typing import Literal

DeviceName = Literal["auto", "cpu", "cuda"]
