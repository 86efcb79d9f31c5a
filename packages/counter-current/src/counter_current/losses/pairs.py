"""The local losses of a classifier: each layer's activation beside the feedback signal of the same index."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot

from counter_current.configs import LossConfig, Similarity
from counter_current.labels import checked_labels

EPS = 1e-8
"""Added to norms."""
MOST_CLASSES = 2**31
"""Classes that labels may be of where nothing tells their number."""
REFERENCE_WIDTH = 256
"""Width at which the dot form has weight one."""


class LocalLoss(NamedTuple):
    """The sum of local losses, and each of them.

    Attributes:
        total: What to differentiate.
        parts: Each loss by name: "pair 0" and so on, and that of the output.
    """

    total: Float[Tensor, ""]
    parts: dict[str, Float[Tensor, ""]]


def classification_loss(
    activations: Sequence[Tensor],
    signals: Sequence[Tensor],
    labels: Shaped[Tensor, "n"],
    config: LossConfig = LossConfig(),  # noqa: B008 - immutable
) -> LocalLoss:
    """All losses of a classifier: the pairs 0 to L-1, and the cross entropy of the output.

    Args:
        activations: The signals a_0 to a_L of a batch, as `CounterCurrentNetwork.activations` gives them.
        signals: The signals b_0 to b_L of the classes, or of the labels of the batch where `config.targets` is batch.
        labels: The labels.
        config: Which losses.

    Raises:
        ValueError: if the numbers of signals differ, a row is missing, the batch is empty, or a label is no class (on a
            GPU, PyTorch says so).
    """
    logits = activations[-1]
    labels = checked_labels(labels, logits.shape[1], waits=False)
    keep = None
    if config.flood_threshold:
        keep = not_flooded(logits, labels, config.flood_threshold)
    total, parts = pairwise_loss(
        activations[:-1],
        signals[:-1],
        labels,
        similarity=config.similarity,
        scale=config.scale,
        decorrelation=config.decorrelation,
        keep=keep,
        is_batch=config.targets == "batch",
    )
    output = cross_entropy(logits, labels)
    return LocalLoss(total + output, {**parts, "output": output})


def pairwise_loss(
    activations: Sequence[Tensor],
    signals: Sequence[Tensor],
    labels: Shaped[Tensor, "n"],
    *,
    similarity: Similarity = "dot",
    scale: float = 0.5,
    decorrelation: float = 0.0,
    keep: Bool[Tensor, "n"] | None = None,
    is_batch: bool = False,
) -> LocalLoss:
    """The sum of the pair losses (equation 2).

    With the rows of A flattened to (n, d) and those of B to (C, d), and T the labels as one-hot rows,

        dot      256 s mean((A Bᵀ - T)²) / d
        cosine   s mean((Ã B̃ᵀ - T)²) + r mean((Ã Ãᵀ - I)²) + r mean((B̃ B̃ᵀ - I)²)

    where the tilde divides each row by its length (plus 1e-8) and r is `decorrelation`. The gradient flows to both A
    and B. Equation 2 of the paper is the cosine form with r = 0; the published code trains perceptrons by the dot form
    and convolutional networks by the cosine form with r = 0.5.

    Args:
        activations: Activations (n, ...) of each pair.
        signals: Feedback signals (C, ...) of each pair, or (n, ...) with `is_batch`.
        labels: The labels.
        similarity: `dot` or `cosine`.
        scale: Weight s.
        decorrelation: Weight r; cosine only.
        keep: Rows of A that count; the others are replaced by zeros.
        is_batch: Whether the rows of B belong to the labels of the batch; then T = Y Yᵀ.

    Raises:
        ValueError: if the numbers of signals differ, those of rows do not fit the labels, the batch is empty, or a
            label is no class (on a GPU, PyTorch says so).
    """
    if len(activations) != len(signals) or not activations:
        raise ValueError(f"there are {len(activations)} activations, but {len(signals)} feedback signals")
    n_rows = len(signals[0])
    if is_batch and n_rows != len(labels):
        raise ValueError(f"the feedback of a batch needs {len(labels)} rows, one for each label, not {n_rows}")
    labels = checked_labels(labels, MOST_CLASSES if is_batch else n_rows, waits=False)
    matches = labels[:, None] == labels if is_batch else one_hot(labels, n_rows)
    parts = {}
    for number, (a, b) in enumerate(zip(activations, signals, strict=True)):
        rows, others = a.flatten(1), b.flatten(1)
        if keep is not None:
            rows = rows * keep[:, None].to(rows.dtype)
        if similarity == "dot":
            loss = dot_loss(rows, others, matches.to(rows.dtype), scale)
        else:
            loss = cosine_loss(rows, others, matches.to(rows.dtype), scale, decorrelation)
        parts[f"pair {number}"] = loss
    return LocalLoss(torch.stack(list(parts.values())).sum(), parts)


def dot_loss(
    a: Float[Tensor, "n d"], b: Float[Tensor, "m d"], matches: Float[Tensor, "n m"], scale: float = 0.5
) -> Float[Tensor, ""]:
    """256 s mean((A Bᵀ - T)²) / d. Its gradient in A is 512 s (A Bᵀ - T) B / (n m d)."""
    weight = REFERENCE_WIDTH * scale / a.shape[1]
    return weight * (a @ b.T - matches).square().mean()


def cosine_loss(
    a: Float[Tensor, "n d"],
    b: Float[Tensor, "m d"],
    matches: Float[Tensor, "n m"],
    scale: float = 1.0,
    decorrelation: float = 0.0,
) -> Float[Tensor, ""]:
    """Weights s and r: s mean((Ã B̃ᵀ - T)²) + r mean((Ã Ãᵀ - I)²) + r mean((B̃ B̃ᵀ - I)²)."""
    a, b = unit_rows(a), unit_rows(b)
    loss = scale * (a @ b.T - matches.to(a.dtype)).square().mean()
    return loss + decorrelation * (gram_deviation(a) + gram_deviation(b)) if decorrelation else loss


def unit_rows(x: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
    """Rows divided by their length (plus 1e-8), which is computed in single precision at least."""
    if x.dtype in {torch.float16, torch.bfloat16}:
        x = x.float()
    return x / (torch.linalg.vector_norm(x, dim=1, keepdim=True) + EPS)


def gram_deviation(x: Float[Tensor, "n d"]) -> Float[Tensor, ""]:
    """mean((X Xᵀ - I)²), over n² entries.

    Where there are fewer features than rows, it is computed as (|Xᵀ X|² - 2 |X|² + n) / n², at a cost of n d² instead
    of n² d.
    """
    n, d = x.shape
    if d < n:
        return ((x.T @ x).square().sum() - 2 * x.square().sum() + n) / n**2
    return (x @ x.T - torch.eye(n, dtype=x.dtype, device=x.device)).square().mean()


@torch.no_grad()
def not_flooded(logits: Float[Tensor, "n classes"], labels: Int[Tensor, "n"], threshold: float) -> Bool[Tensor, "n"]:
    """Which samples still count: those whose true class has a probability of at most 1 minus the threshold."""
    return logits.softmax(1).gather(1, labels[:, None])[:, 0] <= 1 - threshold
