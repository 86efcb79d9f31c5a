"""Rotary position embedding."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

BASE = 10_000.0


class RotaryEmbedding(nn.Module):
    """Turns pairs of features by angles that grow with the position (Su et al. 2021).

    The pair (2i, 2i+1) at position m is turned by m · 10000^(-2i/d), so that the product of a query and a key depends
    on their distance alone. In double precision for features in double precision, otherwise in single precision. The
    tables grow when longer sequences come, are no parameters and are not saved.

    Args:
        dim: Features of a head, an even number.

    Raises:
        ValueError: if `dim` is odd.
    """

    def __init__(self, dim: int) -> None:
        if dim % 2:
            raise ValueError(f"rotary embedding turns pairs of features, so their number must be even, not {dim}")
        super().__init__()
        self.dim = dim
        self._tables: dict[tuple[torch.device, torch.dtype], Tensor] = {}

    def forward(
        self, x: Float[Tensor, "batch heads length dim"], offset: int = 0
    ) -> Float[Tensor, "batch heads length dim"]:
        """Turn the features; the first position is `offset`."""
        end = offset + x.shape[-2]
        dtype = torch.float64 if x.dtype == torch.float64 else torch.float32
        # A pair as a complex number is turned by one product, three times as fast as by four real ones.
        pairs = torch.view_as_complex(x.to(dtype).unflatten(-1, (-1, 2)))
        turned = pairs * torch.view_as_complex(self._turns(end, x.device, dtype)[offset:end])
        return torch.view_as_real(turned).flatten(-2).type_as(x)

    def _turns(self, end: int, device: torch.device, dtype: torch.dtype) -> Float[Tensor, "n pairs 2"]:
        """A table of at least `end` positions."""
        known = self._tables.get((device, dtype))
        if known is None or end > len(known):
            known = self._table(max(end, 128 if known is None else 2 * len(known)), device, dtype)
            self._tables[device, dtype] = known
        return known

    def _table(self, n: int, device: torch.device, dtype: torch.dtype) -> Float[Tensor, "n pairs 2"]:
        """Cosine and sine of the angle of each position and pair."""
        # In double precision: at position 10,000, single precision has lost four of the angle's digits.
        rates = BASE ** -(torch.arange(0, self.dim, 2, dtype=torch.float64) / self.dim)
        angles = torch.outer(torch.arange(n, dtype=torch.float64), rates)
        return torch.stack((angles.cos(), angles.sin()), -1).to(device, dtype)
