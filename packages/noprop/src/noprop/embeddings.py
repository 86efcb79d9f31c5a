"""What a class is to the diffusion: a row of the embedding matrix W."""

from typing import get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from .configs import EmbeddingKind


class ClassEmbedding(nn.Module):
    """The matrix W (classes x dim), whose row u_y a state of class y is diffused from and toward.

    | kind | W begins as | learned |
    | --- | --- | --- |
    | `one-hot` | the identity; dim = classes | no |
    | `learned` | orthonormal rows where classes <= dim, else standard normal ones | yes |
    | `prototype` | one training image of each class, by `from_prototypes` | yes |

    Args:
        n_classes: Number of classes.
        kind: As above.
        dim: Dimension of `learned` embeddings; of `prototype`, that of a sample.
        frozen: Keep W as it begins. Blocks that are trained apart need that, since they share W.

    Raises:
        ValueError: if there is no such kind, fewer than two classes, or no dimension.
    """

    def __init__(
        self, n_classes: int, kind: EmbeddingKind = "one-hot", dim: int | None = None, *, frozen: bool = False
    ) -> None:
        super().__init__()
        if kind not in get_args(EmbeddingKind):
            raise ValueError(f"the embedding must be one of {', '.join(get_args(EmbeddingKind))}, not '{kind}'")
        if n_classes < 2:
            raise ValueError(f"a classifier needs at least 2 classes, not {n_classes}")
        dim = n_classes if kind == "one-hot" else 20 if dim is None else dim
        if dim < 1:
            raise ValueError(f"an embedding needs at least 1 dimension, not {dim}")
        self.kind: EmbeddingKind = kind
        self.weight = nn.Parameter(_initial(n_classes, kind, dim), requires_grad=kind != "one-hot" and not frozen)

    @classmethod
    def from_prototypes(
        cls, x: Float[Tensor, "n *sample"], y: Int[Tensor, "n"], n_classes: int, *, frozen: bool = False
    ) -> "ClassEmbedding":
        """An embedding that begins as one training image of each class, chosen by `prototype_indices`.

        Raises:
            ValueError: if the samples are no images, a class has none, or two classes have the same prototype.
        """
        if x.ndim < 3:
            raise ValueError(f"prototypes are images; samples of shape {tuple(x.shape[1:])} have none")
        embedding = cls(n_classes, "prototype", x[0].numel(), frozen=frozen)
        with torch.no_grad():
            embedding.weight.copy_(x[prototype_indices(x, y, n_classes)].flatten(1))
        embedding.check_distinct()
        return embedding

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return self.weight.shape[0]

    @property
    def dim(self) -> int:
        """Dimension d of an embedding."""
        return self.weight.shape[1]

    @property
    def is_learned(self) -> bool:
        """Whether training changes it."""
        return self.weight.requires_grad

    def forward(self, y: Int[Tensor, "batch"]) -> Float[Tensor, "batch dim"]:
        """u_y, the embeddings of labels."""
        return self.weight[y]

    def mean(self, logits: Float[Tensor, "*batch classes"]) -> Float[Tensor, "*batch dim"]:
        """û = softmax(logits) W, a convex combination of the class embeddings."""
        return logits.softmax(-1) @ self.weight

    def distances(self, z: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch classes"]:
        """Squared distances to the class embeddings."""
        squares = z.square().sum(-1, keepdim=True) + self.weight.square().sum(1)
        return (squares - 2 * z @ self.weight.T).clamp(min=0)

    def nearest(self, z: Float[Tensor, "*batch dim"]) -> Int[Tensor, "*batch"]:
        """The class with the nearest embedding."""
        return self.distances(z).argmin(-1)

    def check_distinct(self) -> None:
        """Refuse embeddings of which two are equal.

        Raises:
            ValueError: if two classes have the same row.
        """
        same = torch.cdist(self.weight.detach().double(), self.weight.detach().double()).fill_diagonal_(1).eq(0)
        if same.any():
            one, other = same.nonzero()[0].tolist()
            raise ValueError(f"classes {one} and {other} have the same embedding and cannot be told apart")


def _initial(n_classes: int, kind: EmbeddingKind, dim: int) -> Float[Tensor, "classes dim"]:
    if kind == "one-hot":
        return torch.eye(n_classes)
    weight = torch.randn(n_classes, dim)
    return torch.linalg.qr(weight.T).Q.T.contiguous() if n_classes <= dim else weight


def prototype_indices(
    x: Float[Tensor, "n *sample"], y: Int[Tensor, "n"], n_classes: int | None = None
) -> Int[Tensor, "classes"]:
    """For each class, the sample with the smallest median distance to the other samples of the class.

    Args:
        x: The samples.
        y: Their classes.
        n_classes: Number of classes; by default up to the largest label.

    Returns:
        The indices among all samples.

    Raises:
        ValueError: if a class has no sample.
    """
    n_classes = int(y.max()) + 1 if n_classes is None else n_classes
    chosen = []
    for label in range(n_classes):
        members = (y == label).nonzero().flatten()
        if not len(members):
            raise ValueError(f"class {label} has no sample that could be its prototype")
        distances = torch.cdist(x[members].flatten(1), x[members].flatten(1))
        distances.fill_diagonal_(torch.nan)
        medians = distances.nanmedian(1).values if len(members) > 1 else distances.new_zeros(1)
        chosen.append(members[medians.argmin()])
    return torch.stack(chosen)
