"""The linear teacher and student: modulated inputs, labels with noise, and many draws of them at once."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from .configs import FeatureGroups, TeacherStudent


@dataclass(frozen=True, eq=False)
class Batch:
    """Draws of training data, each with a teacher and a modulation of its own.

    Attributes:
        x: What the student sees, `F^T z` of each latent input `z` of variance 1 / d.
        y: Labels, `z . W` and noise.
        f: The modulation `F = U S V^T`.
        w: The teacher.
        v: V, whose columns belong to the groups in their order; `x @ v` has the features of the groups side by side.
        groups: The groups of features.
        noise: Standard deviation of the noise of labels.
    """

    x: Float[Tensor, "draws n d"]
    y: Float[Tensor, "draws n"]
    f: Float[Tensor, "draws d d"]
    w: Float[Tensor, "draws d"]
    v: Float[Tensor, "draws d d"]
    groups: FeatureGroups
    noise: float = 0.0

    def __len__(self) -> int:
        return len(self.x)

    def to(self, device: str | torch.device) -> "Batch":
        """The same on a device."""
        x, y, f, w, v = (one.to(device) for one in (self.x, self.y, self.f, self.w, self.v))
        return Batch(x, y, f, w, v, self.groups, self.noise)

    def fresh(self, n: int, generator: torch.Generator) -> tuple[Float[Tensor, "draws n d"], Float[Tensor, "draws n"]]:
        """New inputs for the same teachers, and their labels without noise."""
        draws, d = self.w.shape
        z = torch.randn(draws, n, d, generator=generator, dtype=torch.float64).to(self.w) / d**0.5
        return z @ self.f, (z @ self.w[..., None])[..., 0]


def haar(draws: int, d: int, generator: torch.Generator) -> Float[Tensor, "draws d d"]:
    """Random orthogonal matrices, evenly distributed (QR of Gaussian matrices, with the signs of Mezzadri 2007)."""
    q, r = torch.linalg.qr(torch.randn(draws, d, d, generator=generator, dtype=torch.float64))
    return q * r.diagonal(dim1=-2, dim2=-1).sign()[:, None, :]


def scales_of(groups: FeatureGroups) -> Float[Tensor, " d"]:
    """The scale of each feature."""
    return torch.repeat_interleave(
        torch.tensor(groups.scales, dtype=torch.float64), torch.tensor(groups.sizes, dtype=torch.long)
    )


def sample(
    setup: TeacherStudent, n_draws: int = 1, *, generator: torch.Generator, device: str | torch.device = "cpu"
) -> Batch:
    """Draw training data, teachers and modulations of a setup.

    Raises:
        ValueError: if `n_draws` is not positive.
    """
    return sample_groups(setup.groups, setup.n, n_draws, noise=setup.noise, generator=generator, device=device)


def sample_groups(
    groups: FeatureGroups,
    n: int,
    n_draws: int = 1,
    *,
    noise: float = 0.0,
    generator: torch.Generator,
    device: str | torch.device = "cpu",
) -> Batch:
    """Draw training data, teachers and modulations with any number of groups.

    Args:
        groups: The groups of features.
        n: Training samples.
        n_draws: Independent draws.
        noise: Standard deviation of the noise of labels.
        generator: Where the draws come from; on the CPU, so that they are the same on every device.
        device: Where the data goes.

    Raises:
        ValueError: if there is no sample or no draw.
    """
    if n < 1 or n_draws < 1:
        raise ValueError(f"at least one sample and one draw are needed, not {n} and {n_draws}")
    d = groups.d
    z = torch.randn(n_draws, n, d, generator=generator, dtype=torch.float64) / d**0.5
    w = torch.randn(n_draws, d, generator=generator, dtype=torch.float64)
    eps = torch.randn(n_draws, n, generator=generator, dtype=torch.float64)
    u, v = haar(n_draws, d, generator), haar(n_draws, d, generator)
    f = (u * scales_of(groups)) @ v.mT
    y = (z @ w[..., None])[..., 0] + noise * eps
    return Batch(z @ f, y, f, w, v, groups, noise).to(device)
