"""The device that a search runs on, and its memory."""

import torch


def device_from_name(name: str) -> torch.device:
    """The device of a name: `auto` is a GPU if there is one.

    Raises:
        ValueError: if there is no such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ValueError(f"the device must be auto, cpu or cuda, not '{name}'") from None
    if device.type not in {"cpu", "cuda"}:
        raise ValueError(f"the device must be auto, cpu or cuda, not '{name}'")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(f"the device {name} was asked for, but PyTorch finds no such GPU here; take cpu")
    return device


def halved(batch_size: int) -> int:
    """Half a batch, after memory was not enough for the whole: work goes on in smaller ones.

    Raises:
        torch.OutOfMemoryError: if the batch cannot be any smaller.
    """
    if batch_size <= 1:
        raise torch.OutOfMemoryError("there is not enough memory for a single branch")
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return batch_size // 2
