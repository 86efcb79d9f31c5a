"""Fast and slow features in data of one's own, by a heuristic."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from .configs import TeacherStudent

LEAST = 1e-9
"""Singular values below this part of the largest count as zero."""


@dataclass(frozen=True)
class EffectiveGroups:
    """Two groups of features that stand for a design matrix.

    Attributes:
        n: Samples.
        d: Features that vary.
        p: Fast features, those above the largest gap.
        kappa: Ratio of the root mean square scales of the two groups.
        gap: Ratio of the two singular values at the gap. Near 1 there are no two groups, and the theory of two scales
            says little.
        scale: Scale of the fast features, per feature and in units of the data; times are in units of its square.
    """

    n: int
    d: int
    p: int
    kappa: float
    gap: float
    scale: float

    def setup(self, noise: float = 0.0, l2: float = 0.0) -> TeacherStudent:
        """The teacher and student with these groups.

        Args:
            noise: Standard deviation of the labels' noise, where that of what can be learned is 1.
            l2: Weight decay in units of the fast features.
        """
        return TeacherStudent(self.n, self.d, self.p, self.kappa, noise, l2)


def effective_groups(x: Float[Tensor, "n d"]) -> EffectiveGroups:
    """Split the singular values of a design matrix at the largest gap between their logarithms.

    A heuristic: real spectra have no two sharp groups, and this finds the best cut there is. Columns are centered
    first. The slow group's scale allows for the directions that the fast group takes away from it.

    Args:
        x: Samples in rows.

    Raises:
        ValueError: if there are fewer than three directions in which the data varies, or it has a number that is not
            finite.
    """
    if x.ndim != 2 or not bool(torch.isfinite(x).all()):
        raise ValueError("a design matrix is needed, samples in rows, of finite numbers")
    x = x.double() - x.double().mean(0)
    sigma = torch.linalg.svdvals(x)
    sigma = sigma[sigma > LEAST * sigma[0]] if len(sigma) and sigma[0] > 0 else sigma[:0]
    if len(sigma) < 3:
        raise ValueError(f"the data varies in {len(sigma)} directions; at least 3 are needed for two groups")
    gaps = sigma.log().diff().neg()
    p = int(gaps.argmax()) + 1
    n, d = len(x), len(sigma)
    fast = sigma[:p].square().mean().sqrt() / n**0.5
    slow = sigma[p:].square().mean().sqrt() / max(1, n - p) ** 0.5
    return EffectiveGroups(n, d, p, max(1.0, float(fast / slow)), float(gaps.max().exp()), float(fast * d**0.5))
