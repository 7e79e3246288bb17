"""The device on which torch computes."""

from typing import Final, get_args

import torch

from hamlet_trio.common.devices import DeviceName

_NAMES: Final = get_args(DeviceName)


class DeviceError(ValueError):
    """An unknown or missing device."""


def choose_device(name: str) -> torch.device:
    """Return the device for `auto` (CUDA where available), `cpu` or `cuda`.

    Raises `DeviceError` for another name, and for `cuda` on a machine without it.
    """
    if name not in _NAMES:
        raise DeviceError(f"There is no device {name!r}; choose one of {', '.join(_NAMES)}.")
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise DeviceError(
            "The device cuda was asked for, but torch sees no CUDA GPU here; choose auto or cpu, "
            "or install a torch built for CUDA and the GPU's driver."
        )
    return torch.device("cuda" if available and name != "cpu" else "cpu")
