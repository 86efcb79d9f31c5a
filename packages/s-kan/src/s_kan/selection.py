"""The weights by which a unit (a node, an edge, or a layer) mixes the members of its pool."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from .configs import Hard, Unit


def units_of(unit: Unit, n_out: int, n_in: int) -> tuple[int, int]:
    """How many units there are along the nodes of a layer and along its inputs: w has shape (members, *units).

    Raises:
        ValueError: if there is no such kind of unit.
    """
    shapes = {"node": (n_out, 1), "edge": (n_out, n_in), "layer": (1, 1)}
    if unit not in shapes:
        raise ValueError(f"a family is chosen by each node, edge or layer, not by each '{unit}'")
    return shapes[unit]


class Selection(nn.Module):
    """w = softmax(A / τ) over the members, with logits A for each unit that begin at zero.

    Only differences between logits of a unit count. As τ falls to 0, the weights become those of the largest logit
    alone. In a hard mode, that is what is computed at any τ, with the gradients of the soft weights (straight-through);
    under `gumbel`, noise of the Gumbel distribution is added to the logits in training, a new one at each `draw`.

    Args:
        n_members: Members of the pool.
        units: Units along the nodes and along the inputs.

    Attributes:
        logits: A, of shape (members, *units).
        temperature: τ.
        is_active: Members that have not been dropped.
        hard: The mode: `none`, `straight-through` or `gumbel`.
    """

    temperature: Tensor
    is_active: Tensor

    def __init__(self, n_members: int, units: tuple[int, int]) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(n_members, *units))
        self.register_buffer("temperature", torch.tensor(1.0))
        self.register_buffer("is_active", torch.ones(n_members, dtype=torch.bool))
        self.hard: Hard = "none"
        self._noise: Tensor | None = None

    def set_temperature(self, tau: float) -> None:
        """Set τ.

        Raises:
            ValueError: if it is not positive.
        """
        if not tau > 0:
            raise ValueError(f"the temperature must be positive, not {tau}")
        self.temperature.fill_(tau)

    def draw(self, generator: torch.Generator | None = None) -> None:
        """New noise for the mode `gumbel`; none in the other modes."""
        if self.hard != "gumbel":
            self._noise = None
            return
        uniform = torch.rand(self.logits.shape, generator=generator).clamp(1e-6, 1 - 1e-6)
        self._noise = -torch.log(-torch.log(uniform)).to(self.logits)

    def forward(self) -> Float[Tensor, "members nodes inputs"]:
        """The weights as they are computed with."""
        logits: Tensor = self.logits
        if self._noise is not None and self.training:
            logits = logits + self._noise
        soft = self._soft(logits)
        if self.hard == "none":
            return soft
        sharp = torch.zeros_like(soft).scatter(0, soft.argmax(0, keepdim=True), 1.0)
        return sharp + (soft - soft.detach())

    def soft(self) -> Float[Tensor, "members nodes inputs"]:
        """The weights without noise, and soft in every mode."""
        return self._soft(self.logits)

    def _soft(self, logits: Tensor) -> Tensor:
        scores = (logits / self.temperature).masked_fill(~self.is_active[:, None, None], -torch.inf)
        return torch.softmax(scores, 0)

    def is_undecided(self) -> bool:
        """Whether all weights of each unit are equal, as before any training."""
        logits = self.logits.detach()[self.is_active]
        return bool((logits == logits[:1]).all())

    @torch.no_grad()
    def keep(self, n: int) -> None:
        """Drop the members of the smallest mean weights, until no more than `n` are left; they stay dropped.

        Raises:
            ValueError: if none would be left.
        """
        if n < 1:
            raise ValueError(f"at least 1 member must be kept, not {n}")
        n_dropped = int(self.is_active.sum()) - n
        if n_dropped > 0:
            means = self.soft().mean((1, 2)).masked_fill(~self.is_active, torch.inf)
            self.is_active[means.argsort()[:n_dropped]] = False

    @torch.no_grad()
    def largest(self, k: int = 1) -> Bool[Tensor, "members nodes inputs"]:
        """The members of the k largest weights of each unit; of equal ones the first.

        Raises:
            ValueError: if there are not as many members.
        """
        if not 1 <= k <= len(self.logits):
            raise ValueError(f"a unit can keep 1 to {len(self.logits)} members of its pool, not {k}")
        order: Int[Tensor, "members nodes inputs"] = self.soft().argsort(dim=0, descending=True, stable=True)
        mask = torch.zeros_like(order, dtype=torch.bool).scatter(
            0, order[:k], torch.ones_like(order[:k], dtype=torch.bool)
        )
        return mask & self.is_active[:, None, None]
