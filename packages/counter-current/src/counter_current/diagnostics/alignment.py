"""How alike the two directions are: linear CKA of their signals, and the angle between their weights."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from counter_current.networks.dual import CounterCurrentNetwork
from separata.labeled import LabeledDataset

TINY = 1e-12
"""Share of a representation's energy below which, after centering, it is taken for constant."""


def linear_cka(x: Float[Tensor, "n d"], y: Float[Tensor, "n e"]) -> Float[Tensor, ""]:
    """Linear centered kernel alignment of two representations of the same samples (Kornblith et al. 2019).

        |Yᵀ X|² / (|Xᵀ X| |Yᵀ Y|)        with centered columns and Frobenius norms

    From 0 to 1; it changes neither with an orthogonal map of the features nor with their scale. A constant
    representation has 0 with any other.

    Args:
        x: One representation, a row for each sample.
        y: The other.

    Raises:
        ValueError: if they have not the same number of samples, or fewer than two.
    """
    return cka_matrix([x], [y])[0, 0]


@torch.no_grad()
def cka_matrix(xs: Sequence[Shaped[Tensor, "n ..."]], ys: Sequence[Shaped[Tensor, "n ..."]]) -> Float[Tensor, "xs ys"]:
    """Linear CKA of every pair, in double precision.

    All numerators are one product of centered Gram matrices, |Yᵀ X|² = <X Xᵀ, Y Yᵀ>, so that the widths may differ.

    Args:
        xs: Representations, which are flattened to rows.
        ys: The others, of the same samples.

    Raises:
        ValueError: if there is none, they have not the same number of samples, or fewer than two.
    """
    counts = {len(one) for one in (*xs, *ys)}
    if not xs or not ys or len(counts) != 1 or min(counts) < 2:
        raise ValueError(f"CKA needs representations of the same two or more samples, not of {sorted(counts)}")
    grams = torch.stack([_unit_gram(one.flatten(1).double()) for one in (*xs, *ys)]).flatten(1)
    return grams[: len(xs)] @ grams[len(xs) :].T


def _unit_gram(x: Float[Tensor, "n d"]) -> Float[Tensor, "n n"]:
    """The Gram matrix of the centered columns, divided by its norm; zeros of a constant representation."""
    centered = x - x.mean(0)
    if centered.square().sum() <= TINY * x.square().sum():
        return x.new_zeros(len(x), len(x))
    gram = centered @ centered.T
    return gram / torch.linalg.matrix_norm(gram)


@torch.no_grad()
def alignment_map(
    network: CounterCurrentNetwork, x: Shaped[Tensor, "n *sample"], labels: Int[Tensor, "n"] | None = None
) -> Float[Tensor, "forward feedback"]:
    """Linear CKA of every forward activation a_0 to a_L (rows) with every feedback signal b_0 to b_L (columns).

    The feedback's row of a sample is the signal of its class; that of an autoencoder is its own.

    Args:
        network: The network; it runs in evaluation mode.
        x: Samples on its device.
        labels: Their classes; None for an autoencoder.

    Raises:
        ValueError: if a classifier has no labels, or there are fewer than two samples.
    """
    was_training = network.training
    network.eval()
    try:
        activations = network.activations(x)
        if network.n_classes is None:
            signals = network.signals(activations[0])
        elif labels is None:
            raise ValueError("the alignment of a classifier needs labels")
        else:
            signals = [signal[labels] for signal in network.class_signals()]
    finally:
        network.train(was_training)
    return cka_matrix(activations, signals).cpu()


def top_alignment(alignment: Float[Tensor, "forward feedback"], n_layers: int = 3) -> float:
    """Mean CKA of the top hidden layers of the forward network with the bottom ones of the feedback network.

    Both are the hidden layers next to the labels, where the forward network ends and the feedback network begins.

    Args:
        alignment: A map that `alignment_map` gives.
        n_layers: How many of each; all hidden layers if there are fewer.
    """
    hidden = alignment[1:-1, 1:-1]
    return hidden[-n_layers:, -n_layers:].mean().item()


@torch.no_grad()
def weight_alignment(network: CounterCurrentNetwork) -> list[float]:
    """The cosine of the angle between each layer's forward weights and its transposed feedback weights.

    Kernels are mirrored besides, as the transpose of a convolution has them. What has no weights, or weights of other
    shapes, is NaN.
    """
    return [_cosine(layer.forward_module, layer.feedback_module) for layer in network.dual_layers()]


def _cosine(forward: nn.Module, feedback: nn.Module) -> float:
    u, v = _first_weight(forward), _first_weight(feedback)
    if u is None or v is None:
        return float("nan")
    v = v.transpose(0, 1)
    v = v.flip(tuple(range(2, v.ndim)))
    if u.shape != v.shape:
        return float("nan")
    return cosine_similarity(u.flatten(), v.flatten(), dim=0, eps=EPS).item()


EPS = 1e-12
"""Smallest product of lengths by which a cosine is divided."""


def _first_weight(module: nn.Module) -> Tensor | None:
    return next((p for p in module.parameters() if p.ndim > 1), None)


def class_matched(data: LabeledDataset, n: int, seed: int = 0) -> LabeledDataset:
    """Some samples on which to compare the directions, as many as there are up to `n`, drawn by a seed."""
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(seed))[:n]
    return data.subset(order.to(data.y.device))
