"""The spectrum of the tangent kernel: the condition of training all weights of a network."""

import torch
from jaxtyping import Float64
from torch import Tensor, nn
from torch.func import functional_call, jacrev

N_SAMPLES = 100


def ntk_spectrum(
    model: nn.Module, X: Float64[Tensor, "n *sample"], n_samples: int = N_SAMPLES, seed: int = 0
) -> Float64[Tensor, " nc"]:
    """Eigenvalues of K = J Jᵀ in decreasing order, J the Jacobian of all outputs with respect to all weights.

    K is also what the Gauss-Newton matrix of the squared error has for nonzero eigenvalues.

    Args:
        model: Any network from samples to outputs (n, C), a `TwoLayerNet` or your own; in double precision.
        X: Samples; of more than `n_samples`, that many are drawn, since K has the square of n C numbers.
        n_samples: Samples that are used at most.
        seed: Draws them.

    Raises:
        ValueError: if there is no sample, or the model has no weights to train.
    """
    if not len(X) or n_samples < 1:
        raise ValueError("the tangent kernel needs a sample or more")
    if len(X) > n_samples:
        X = X[torch.randperm(len(X), generator=torch.Generator().manual_seed(seed))[:n_samples].to(X.device)]
    weights = {name: one.detach() for name, one in model.named_parameters() if one.requires_grad}
    if not weights:
        raise ValueError("the model has no weights that are trained")

    def outputs(own: dict[str, Tensor]) -> Tensor:
        # Copies, since batch normalization in training mode changes its running statistics.
        rest = {name: one.clone() for name, one in model.named_buffers()}
        return functional_call(model, {**rest, **own}, (X,)).flatten()

    parts = jacrev(outputs)(weights)
    kernel = sum(part.flatten(1) @ part.flatten(1).mT for part in parts.values())
    eigenvalues: Tensor = torch.linalg.eigvalsh(kernel).flip(0)
    return eigenvalues.clamp(min=0)
