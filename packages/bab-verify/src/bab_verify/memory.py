"""Device memory: when it runs out, work goes on in smaller batches."""

import torch


def halved(batch: int) -> int:
    """Half a batch, after memory was not enough for the whole.

    Raises:
        torch.OutOfMemoryError: if the batch cannot be any smaller.
    """
    if batch <= 1:
        raise torch.OutOfMemoryError("there is not enough memory for a single branch")
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return batch // 2
