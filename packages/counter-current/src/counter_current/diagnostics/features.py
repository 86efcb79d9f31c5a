"""Features in front of the output layer, and a picture of them in the plane."""

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from counter_current.networks.dual import CounterCurrentNetwork

FEWEST = 5
"""Samples that t-SNE needs."""


@torch.no_grad()
def penultimate_features(
    network: CounterCurrentNetwork, x: Shaped[Tensor, "n *sample"], batch_size: int = 1024
) -> Float[Tensor, "n d"]:
    """The activations a_{L-1}, flattened, in evaluation mode.

    Args:
        network: The network.
        x: Samples on its device.
        batch_size: Samples of a forward pass.
    """
    was_training = network.training
    network.eval()
    try:
        return torch.cat([network.activations(batch)[-2].flatten(1) for batch in x.split(batch_size)])
    finally:
        network.train(was_training)


def embed(features: Float[Tensor, "n d"], seed: int = 0) -> Float[np.ndarray, "n 2"]:
    """Features in the plane, by t-SNE.

    Args:
        features: A row for each sample.
        seed: Of the initial positions, where features have a single dimension.

    Raises:
        ValueError: if there are fewer than 5 samples.
    """
    from sklearn.manifold import TSNE

    if len(features) < FEWEST:
        raise ValueError(f"a picture of features needs at least {FEWEST} samples, not {len(features)}")
    perplexity = min(30.0, (len(features) - 1) / 3)
    init = "pca" if features.shape[1] > 1 else "random"
    found = TSNE(perplexity=perplexity, init=init, random_state=seed).fit_transform(features.cpu().numpy())
    return np.asarray(found, dtype=np.float32)
