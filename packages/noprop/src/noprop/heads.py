"""How class probabilities are read from the last state: p(y | z_T)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .configs import HeadKind
from .embeddings import ClassEmbedding


class LinearHead(nn.Module):
    """p(y | z) = softmax(f_out(z)), f_out a linear layer.

    Args:
        embedding: Whose dimension and number of classes it has.
    """

    def __init__(self, embedding: ClassEmbedding) -> None:
        super().__init__()
        self.f_out = nn.Linear(embedding.dim, embedding.n_classes)

    @torch.no_grad()
    def begin_at_nearest(self, embedding: ClassEmbedding, scale: float) -> None:
        """Set f_out to scale (z · u_y - ‖u_y‖² / 2): the largest logit is that of the nearest embedding.

        Args:
            embedding: The class embeddings.
            scale: How sharply classes are told apart.
        """
        self.f_out.weight.copy_(scale * embedding.weight)
        self.f_out.bias.copy_(-0.5 * scale * embedding.weight.square().sum(1))

    def forward(self, z: Float[Tensor, "batch dim"], embedding: ClassEmbedding) -> Float[Tensor, "batch classes"]:
        """The logits of states."""
        del embedding
        return self.f_out(z)


class RadialHead(LinearHead):
    """p(y | z) ∝ exp(-‖z~ - u_y‖² / (2 sigma²)) with z~ = softmax(f_out(z)) W, the paper's second head.

    Args:
        embedding: Whose dimension and number of classes it has.
        sigma: Scale of the distances.

    Raises:
        ValueError: if sigma is not positive.
    """

    def __init__(self, embedding: ClassEmbedding, sigma: float = 1.0) -> None:
        if not sigma > 0:
            raise ValueError(f"sigma must be positive, not {sigma}")
        super().__init__(embedding)
        self.sigma = sigma

    def forward(self, z: Float[Tensor, "batch dim"], embedding: ClassEmbedding) -> Float[Tensor, "batch classes"]:
        """The logits of states."""
        return -embedding.distances(embedding.mean(self.f_out(z))) / (2 * self.sigma**2)


def make_head(kind: HeadKind, embedding: ClassEmbedding, sigma: float = 1.0) -> LinearHead:
    """A head by its name.

    Raises:
        ValueError: if there is no such head.
    """
    if kind not in ("linear", "radial"):
        raise ValueError(f"the head must be linear or radial, not '{kind}'")
    return LinearHead(embedding) if kind == "linear" else RadialHead(embedding, sigma)
