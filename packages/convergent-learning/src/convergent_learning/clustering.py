"""Many-to-many matching: clusters of the units of two networks together (section 5 of the paper)."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from .statistics import ActivationStats
from .subspaces import principal_cosines


@dataclass(frozen=True, eq=False)
class Clusters:
    """Clusters over the units of two networks.

    Attributes:
        labels: Cluster of each unit, those of the first network first.
        sizes: Units of the first network and of the second.
        cosines: For each cluster the mean cosine of the principal angles between its units of the two networks; NaN
            where it has units of one network only.
        tree: Merges of an agglomerative clustering as SciPy's linkage matrix; None for spectral ones.
    """

    labels: Int[Tensor, " units"]
    sizes: tuple[int, int]
    cosines: Float[Tensor, " k"]
    tree: np.ndarray | None = None

    def members(self, cluster: int) -> tuple[list[int], list[int]]:
        """The units of a cluster in the first network, and in the second."""
        split = self.labels.split(list(self.sizes))
        first, second = (torch.nonzero(part == cluster)[:, 0].tolist() for part in split)
        return first, second

    @property
    def mixed_fraction(self) -> float:
        """Share of clusters with units of both networks."""
        return float((~self.cosines.isnan()).double().mean())

    @property
    def order(self) -> Int[Tensor, " units"]:
        """The units cluster by cluster, the largest first: the order that shows blocks in the similarity matrix."""
        counts = torch.bincount(self.labels, minlength=len(self.cosines))
        rank = torch.argsort(torch.argsort(counts, descending=True, stable=True))
        return torch.argsort(rank[self.labels], stable=True)


def joint_similarity(
    stats: ActivationStats, layer: str, nets: tuple[int, int] = (0, 1)
) -> Float[Tensor, "units units"]:
    """Absolute correlations of all units of two networks, within and between them."""
    i, j = nets
    cross = stats.cross(layer, i, j)
    top, bottom = torch.cat([stats.within(layer, i), cross], 1), torch.cat([cross.T, stats.within(layer, j)], 1)
    return torch.cat([top, bottom]).abs().cpu()


def spectral_clusters(similarity: Float[Tensor, "n n"], k: int, seed: int = 0) -> Int[Tensor, " n"]:
    """Spectral clustering: the first k eigenvectors of L = I - D^-1/2 S D^-1/2, rows of unit length, then k-means.

    (Ng, Jordan and Weiss 2001.) Units that resemble nothing, not even themselves, such as dead ones, have degree 0 and
    are put with the zero row.
    """
    from sklearn.cluster import KMeans

    degree = similarity.sum(1)
    scale = torch.where(degree > 0, degree.clamp(min=1e-300).rsqrt(), 0)
    vectors = torch.linalg.eigh(scale[:, None] * similarity * scale).eigenvectors[:, -k:]
    rows = torch.nn.functional.normalize(vectors, dim=1)
    return torch.from_numpy(KMeans(k, n_init=10, random_state=seed).fit_predict(rows.numpy())).long()


def agglomerative_tree(similarity: Float[Tensor, "n n"]) -> np.ndarray:
    """Merges by the mean similarity between groups, as SciPy's linkage matrix of distances 1 - S."""
    from scipy.cluster.hierarchy import linkage
    from scipy.spatial.distance import squareform

    distance = (1 - similarity).clamp(min=0).numpy().copy()
    np.fill_diagonal(distance, 0)
    return linkage(squareform((distance + distance.T) / 2, checks=False), "average")


def cluster_units(
    stats: ActivationStats,
    layer: str,
    nets: tuple[int, int] = (0, 1),
    k: int | None = None,
    *,
    method: str = "spectral",
    seed: int = 0,
) -> Clusters:
    """Cluster the units of a layer of two networks together.

    Args:
        stats: Statistics of both networks.
        layer: The layer.
        nets: The two networks.
        k: Number of clusters; by default the width of the first network over 2.4 (40 for the 96 units of the paper).
        method: "spectral", or "agglomerative" by mean correlation.
        seed: Of k-means.

    Raises:
        ValueError: if there are fewer than 1 or more clusters than units, or there is no such method.
    """
    from scipy.cluster.hierarchy import fcluster

    sizes = (stats[layer].sizes[nets[0]], stats[layer].sizes[nets[1]])
    k = max(1, round(sizes[0] / 2.4)) if k is None else k
    if not 1 <= k <= sum(sizes):
        raise ValueError(f"{sum(sizes)} units make 1 to {sum(sizes)} clusters, not {k}")
    similarity, tree = joint_similarity(stats, layer, nets), None
    if method == "spectral":
        labels = spectral_clusters(similarity, k, seed)
    elif method == "agglomerative":
        tree = agglomerative_tree(similarity)
        labels = torch.from_numpy(fcluster(tree, k, "maxclust").astype(np.int64) - 1)
    else:
        raise ValueError(f"the method of clustering is spectral or agglomerative, not {method!r}")
    bare = Clusters(labels, sizes, torch.full((k,), torch.nan, dtype=torch.float64), tree)
    return Clusters(labels, sizes, torch.stack([_cosine(stats, layer, bare.members(c), nets) for c in range(k)]), tree)


def _cosine(
    stats: ActivationStats, layer: str, members: tuple[list[int], list[int]], nets: tuple[int, int]
) -> Float[Tensor, ""]:
    if not members[0] or not members[1]:
        return torch.tensor(torch.nan, dtype=torch.float64)
    cosines = principal_cosines(stats, layer, members, nets)
    return cosines.mean() if len(cosines) else torch.zeros((), dtype=torch.float64)
