"""The command line `udc-solver`."""

from pathlib import Path

from separata import cli

from .configs import TrainConfig
from .paper import PAPER


# TODO: one to five commands on files in the formats of the field.
def fit(inputs: Path, /, config: TrainConfig, *, out: Path, seed: int = 0) -> None:
    """Learn the leading direction of the rows of an array.

    Args:
        inputs: Array of shape (samples, features), .npy.
        config: How the neuron is trained.
        out: File for the direction, .npy.
        seed: Seed of the initial weight and of the order of rows.
    """
    import numpy as np
    import torch

    from separata import files

    from .rules import train

    rows = np.load(inputs, allow_pickle=False)
    if rows.ndim != 2 or not np.isfinite(rows).all():
        raise ValueError(f"{inputs} must hold finite numbers of shape (samples, features), not shape {rows.shape}")
    x = torch.from_numpy(rows).float()
    weight = train(x - x.mean(0), config, torch.Generator().manual_seed(seed))
    with files.replacing(out) as part, part.open("wb") as file:
        np.save(file, weight.numpy())
    print(f"norm {weight.norm():.3f}, in {out}")


def main() -> None:
    """Run the command line."""
    cli.main(PAPER, [fit])
